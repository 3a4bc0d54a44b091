"""Ports on loopback where nobody is: a server that is down, that hangs or stalls, whose packets are dropped.

    refusing      a connection is refused at once
    silent        a connection is made, and that is all that ever happens
    stalling      whatever is sent is taken, something may be said, and then nothing more
    unreachable   no answer: connecting takes until the caller's patience ends

All of 127.0.0.0/8 is loopback on Linux, so there can be as many such servers as a test needs:

    with silent([address_of(number) for number in range(300)]) as port:
        entries = make_entries(300, port=port)
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from typing import Final

__all__ = ["refusing", "silent", "stalling", "unreachable"]

_HERE: Final = ("127.0.0.1",)
_TRIES: Final = 20
#: More than any kernel queues for a listener that asked for none to be queued.
_FILLERS: Final = 4


@contextmanager
def refusing() -> Iterator[int]:
    """Yield a port that is closed at every address, and that nobody opens in the meantime."""
    with socket.socket() as held:
        held.bind(("0.0.0.0", 0))  # it never listens
        yield held.getsockname()[1]


@contextmanager
def silent(addresses: Sequence[str] = _HERE) -> Iterator[int]:
    """Yield a port where connections can be made and are left alone. Raises OSError without such a port."""
    with ExitStack() as stack:
        yield _listen(addresses, 1024, stack)


@asynccontextmanager
async def stalling(addresses: Sequence[str] = _HERE, *, says: bytes = b"") -> AsyncIterator[int]:
    """Yield a port where somebody takes all there is to hear, and says this and no more.

    Unlike with `silent`, the kernel's buffers do not fill. Raises OSError without such a port.
    """
    loop = asyncio.get_running_loop()
    present: set[_Stalling] = set()
    with ExitStack() as stack:
        port, sockets = _bind(addresses, stack)
        servers = [await loop.create_server(lambda: _Stalling(says, present), sock=sock) for sock in sockets]
        try:
            yield port
        finally:
            for server in servers:
                server.close()
            for connection in list(present):
                connection.leave()
            await asyncio.sleep(0)


class _Stalling(asyncio.Protocol):
    def __init__(self, says: bytes, present: "set[_Stalling]") -> None:
        self._says = says
        self._present = present

    def leave(self) -> None:
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._present.add(self)
        transport.write(self._says)

    def connection_lost(self, exc: Exception | None) -> None:
        self._present.discard(self)


@contextmanager
def unreachable(addresses: Sequence[str] = _HERE) -> Iterator[int]:
    """Yield a port whose connection requests get no answer. Raises OSError without such a port.

    What answers is a full queue, on Linux: the kernel drops requests that find no place in it.
    """
    with ExitStack() as stack:
        port = _listen(addresses, 0, stack)
        for address in addresses:
            for _ in range(_FILLERS):
                filler = stack.enter_context(socket.socket())
                filler.setblocking(False)
                with suppress(BlockingIOError):
                    filler.connect((address, port))
        yield port


def _listen(addresses: Sequence[str], backlog: int, stack: ExitStack) -> int:
    """Listen at one port of all addresses, until the stack unwinds; return the port."""
    port, sockets = _bind(addresses, stack)
    for server in sockets:
        server.listen(backlog)
    return port


def _bind(addresses: Sequence[str], stack: ExitStack) -> tuple[int, list[socket.socket]]:
    """Take one port of all addresses, until the stack unwinds; return it, and the sockets bound to it."""
    for _ in range(_TRIES):
        with ExitStack() as attempt:
            port = 0
            sockets = []
            try:
                for address in addresses:
                    server = attempt.enter_context(socket.socket())
                    server.bind((address, port))
                    port = server.getsockname()[1]
                    sockets.append(server)
            except OSError:
                continue  # taken at one of them: another port
            stack.push(attempt.pop_all())
            return port, sockets
    raise OSError("no port is free at all these addresses")
