"""Ports on loopback where nobody is: a server that is down, one that hangs, one whose packets are dropped.

    refusing      a connection is refused at once
    silent        a connection is made, and that is all that ever happens
    unreachable   no answer: connecting takes until the caller's patience ends

All of 127.0.0.0/8 is loopback on Linux, so there can be as many such servers as a test needs.
"""

import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Final

__all__ = ["refusing", "silent", "unreachable"]

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
    for _ in range(_TRIES):
        with ExitStack() as attempt:
            port = 0
            try:
                for address in addresses:
                    server = attempt.enter_context(socket.socket())
                    server.bind((address, port))
                    server.listen(backlog)
                    port = server.getsockname()[1]
            except OSError:
                continue  # taken at one of them: another port
            stack.push(attempt.pop_all())
            return port
    raise OSError("no port is free at all these addresses")
