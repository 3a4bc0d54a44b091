"""The HTTP front: strangers who speak HTTP are led to a web server on this machine.

                                ┌─ a client ──────────────► SSH
    bytes ──► layer, and watch ─┼─ no HTTP ───────────────► silence
                                └─ HTTP, and no client ───► the web server, with all that came so far

Clients with a prefix speak HTTP, and the server answers them in HTTP. A port that does so, and is silent to
everybody else's requests, is odd; a web server behind it makes it an ordinary one.

When a visitor is led on depends on how much of an HTTP request has come, and when, and not on what the layer
makes of it. A preamble that was altered, cut, replayed or made for another server is a body of random bytes
like any other. The web server learns no address: to it, all visitors are this machine.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from headrace.base.errors import NetworkError
from headrace.codec.request_watch import RequestWatch, Sight
from headrace.net.dial import dial_local
from headrace.net.streams import SocketStream, join
from headrace.net.tunnel_socket import Layer, Opening, Refusal, TunnelSocket

__all__ = ["CONNECT_TIMEOUT", "IDLE", "Front", "FrontedLayer", "Host"]

#: Seconds that the web server has to take a connection.
CONNECT_TIMEOUT: Final = 2.0
#: Bytes that are kept of all together who may be visitors; beyond it they are met with silence.
MAX_KEPT: Final = 64 * 1024 * 1024
#: Seconds without a byte either way after which a visit is over: most web servers are long through with it.
IDLE: Final = 300.0


class Host(Protocol):
    """Whose connection it is until it is clear that it is a visitor's."""

    socket: TunnelSocket

    def led_on(self, reason: str) -> None:
        """The connection is somebody else's now; `reason` is why the layer refused it, "" if it did not."""
        ...

    def linger(self) -> None:
        """The peer says no more, and is not led on: close in a moment."""
        ...


class _Side(SocketStream):
    """One side of a visit."""

    def __init__(self) -> None:
        super().__init__()
        self.moved = asyncio.get_running_loop().time()  #: when it last sent something, or took much

    def data_received(self, data: bytes) -> None:
        self.moved = asyncio.get_running_loop().time()
        super().data_received(data)

    def resume_writing(self) -> None:
        self.moved = asyncio.get_running_loop().time()
        super().resume_writing()


class Front:
    """The way to the web server at `place`, for one worker; at most `most` visits at once."""

    def __init__(
        self,
        place: tuple[str, int] | str,
        most: int,
        counts: Counter[str],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self.counts = counts
        self.spawn = spawn
        self.kept = 0  #: bytes of those whom it is not clear about yet
        self._place = place
        self._most = most
        self._taken = 0
        self._visits: dict[_Side, _Side] = {}  # the visitor's and the web server's
        self._ending: set[_Side] = set()

    @property
    def visits(self) -> int:
        """Visitors who are, or are being, led on."""
        return self._taken

    def enter(self) -> bool:
        """Whether there is room for a visit; it is kept until `leave`."""
        if self._taken >= self._most:
            self.counts["front.full"] += 1
            return False
        self._taken += 1
        return True

    def leave(self) -> None:
        """A visit is over, or came to nothing."""
        self._taken -= 1

    async def connect(self) -> _Side:
        """Return a connection to the web server. Raises NetworkError."""
        return await dial_local(self._place, _Side, CONNECT_TIMEOUT)

    async def serve(self, visitor: _Side, web: _Side, said: bytes) -> None:
        """Pass everything on, beginning with what the visitor has said, until both are done."""
        self.counts["front.relayed"] += 1
        self._visits[visitor] = web
        try:
            await web.write(said)
            await join(visitor, web)
        except NetworkError:
            visitor.close()
        finally:
            web.close()
            del self._visits[visitor]
            self._ending.discard(visitor)

    def sweep(self, now: float) -> None:
        """End visits in which nothing happens any more; drop them, if even that does not happen."""
        for visitor, web in list(self._visits.items()):
            if now - max(visitor.moved, web.moved) < IDLE:
                continue
            if visitor in self._ending:
                visitor.abort()
                web.abort()
            self._ending.add(visitor)
            visitor.close()
            web.close()


class FrontedLayer:
    """A tunnel protocol's layer with the front behind it.

    A request that goes on, and is no client's yet, has `patience` seconds to become one: a client may send
    the rest of its preamble a moment after the prefix.
    """

    def __init__(self, layer: Layer, front: Front, host: Host, patience: float) -> None:
        self._layer = layer
        self._front = front
        self._host = host
        self._patience = patience
        self._watch: RequestWatch | None = RequestWatch()  # while it may be a visitor's
        self._refusal: Refusal | None = None  # kept for the case that there is nobody to lead on
        self._timer: asyncio.TimerHandle | None = None
        self._ended = False

    def connected(self) -> Opening | None:
        return self._layer.connected()

    def receive(self, data: bytes) -> Opening | Refusal | None:
        answer = self._refusal or self._layer.receive(data)
        if self._watch is None:
            return answer
        if isinstance(answer, Opening):
            self.forget()
            return answer
        self._refusal = answer
        sight = self._look(self._watch, data)
        if sight is Sight.UNFINISHED and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._patience, self._waited)
        if sight is Sight.WHOLE and self._lead_on():
            return None
        if sight is Sight.NO_REQUEST:
            self.forget()
        return None if self._watch is not None else self._refusal

    def finished(self) -> bool:
        """The peer says no more: return whether that leads a visitor on, who had not finished his request."""
        if self._timer is None:
            return False
        self._ended = True
        return self._lead_on()

    def forget(self) -> None:
        """Nobody is led on any more."""
        if self._watch is not None:
            self._front.kept -= len(self._watch.said)
            self._watch = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, watch: RequestWatch, data: bytes) -> Sight:
        """Look at what came, unless too much of too many is looked at already."""
        before = len(watch.said)
        sight = watch.receive(data)
        self._front.kept += len(watch.said) - before
        if self._front.kept <= MAX_KEPT:
            return sight
        self._front.counts["front.full"] += 1
        return Sight.NO_REQUEST

    def _waited(self) -> None:
        """What is no client's by now is a visitor's, or a stranger's if there is no room."""
        if not self._lead_on():
            self._host.socket.take_back(self._refusal)

    def _lead_on(self) -> bool:
        """Begin a visit, if there is room for one."""
        assert self._watch is not None
        said = bytes(self._watch.said)
        self.forget()
        if not self._front.enter():
            return False
        if not self._host.socket.hold():  # its time is up
            self._front.leave()
            return False
        self._front.spawn(self._visit(said))
        return True

    async def _visit(self, said: bytes) -> None:
        front, socket = self._front, self._host.socket
        try:
            try:
                web = await front.connect()
            except NetworkError:
                front.counts["front.unreachable"] += 1
                socket.take_back(self._refusal)
                if self._ended:
                    self._host.linger()
                return
            visitor = _Side()
            if not socket.hand_over(visitor):
                web.close()
                return
            self._host.led_on(self._refusal.reason if self._refusal is not None else "")
            if self._ended:
                visitor.eof_received()
            await front.serve(visitor, web, said)
        finally:
            front.leave()
