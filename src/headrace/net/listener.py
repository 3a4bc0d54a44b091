"""A server's door: connections are taken one by one, as fast as its keeper lets them in.

Several processes may have the same door (SO_REUSEPORT): the system spreads the connections over those that
are open. One that is shut looks like a service that is not running, and the others get what comes.

Connections that wait for the keeper wait in the system's queue; when that is full, new ones are not answered
until there is room. Nobody is let in only to be thrown out.
"""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, Protocol

from headrace.net.dial import cannot_listen

__all__ = ["Keeper", "Listener"]

#: Connections taken at most before others have their turn on the loop.
BATCH: Final = 32
BACKLOG: Final = 1024
#: Seconds to wait when the system has no room for a connection.
RELIEF: Final = 1.0
#: Seconds without an acknowledgement after which the system gives a connection up, unsent data and all.
GIVE_UP: Final = 120
_SHORTAGES: Final = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))


class Keeper(Protocol):
    """Decides when the next connection is taken."""

    def wait(self) -> float:
        """Return how many seconds to wait before the next one is taken, 0 for none."""
        ...

    def taken(self) -> None:
        """One was taken."""
        ...

    def short(self) -> None:
        """The system has no descriptors or no memory for another one."""
        ...


class Listener:
    """Listens on one port of several address literals. `open`, `shut`, as often as wanted.

    `port` 0 lets the system choose once; `factory` makes the protocols, `spawn` keeps tasks alive, and errors
    speak of `what`.
    """

    def __init__(
        self,
        factory: Callable[[], asyncio.BaseProtocol],
        hosts: Sequence[str],
        port: int,
        *,
        what: str,
        keeper: Keeper,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self.port = port
        self._factory = factory
        self._hosts = hosts
        self._what = what
        self._keeper = keeper
        self._spawn = spawn
        self._sockets: list[socket.socket] = []
        self._resting: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def open(self) -> None:
        """Listen from now on, unless it does already. Raises OperatorError if the port cannot be had."""
        if self._sockets:
            return
        try:
            for host in self._hosts:
                self._sockets.append(door := _listen(host, self.port))
                self.port = door.getsockname()[1]
        except OSError as error:
            self._close()
            raise cannot_listen(self._what, self.port, error) from error
        self._watch()

    def shut(self) -> None:
        """Listen no more. Who is in the system's queue is taken still: he would get a RST instead."""
        self._rest(0.0)
        for door in self._sockets:
            while self._take(door):
                pass
        self._close()

    def close(self) -> None:
        """Listen no more, at once."""
        self._rest(0.0)
        self._close()

    def _close(self) -> None:
        for door in self._sockets:
            door.close()
        self._sockets.clear()

    # ---- taking connections ---------------------------------------------------------------------------

    def _watch(self) -> None:
        self._resting = None
        for door in self._sockets:
            self._loop.add_reader(door, self._ready, door)

    def _rest(self, seconds: float) -> None:
        """Take none for some time; 0 is for good."""
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
        for door in self._sockets:
            self._loop.remove_reader(door)
        if seconds:
            self._resting = self._loop.call_later(seconds, self._watch)

    def _ready(self, door: socket.socket) -> None:
        for _ in range(BATCH):
            if seconds := self._keeper.wait():
                self._rest(seconds)
                return
            if not self._sockets or not self._take(door):  # the keeper may have shut the door
                return

    def _take(self, door: socket.socket) -> bool:
        """Take the next connection; return whether there may be more."""
        try:
            connection, _ = door.accept()
        except (BlockingIOError, InterruptedError):
            return False
        except ConnectionAbortedError:
            return True
        except OSError as error:
            self._rest(RELIEF)  # the door stays readable: without a rest this would come at once again
            if error.errno in _SHORTAGES:
                self._keeper.short()
            return False
        connection.setblocking(False)
        self._keeper.taken()
        self._spawn(self._begin(connection))
        return True

    async def _begin(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):  # its peer is gone already
            await self._loop.connect_accepted_socket(self._factory, connection)


def _listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; what is set on it holds for the connections that it takes."""
    six = ":" in host
    door = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_STREAM)
    try:
        door.setblocking(False)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # An urgent byte is read like any other: one that nobody reads makes a RST of the end.
        door.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux's
            door.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, GIVE_UP * 1000)
        if six:
            door.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        door.bind((host, port))
        door.listen(BACKLOG)
    except OSError:
        door.close()
        raise
    return door
