"""An application that stops reading: how many bytes pile up, and where.

Downloads are started through one tunnel and read for a while, so that windows have grown; then nothing is
read any more. What the origin got rid of and the application never saw is parked somewhere: in socket
buffers, which the kernel tells, or in one of the two processes, which is the rest. A short forward beside
them must still pass.
"""

import selectors
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack

from bench.figures import Figure, Findings
from bench.origins import EchoOrigin, PouringOrigin
from bench.procfs import resident_bytes, tcp_queues
from bench.programs import BenchError
from bench.socks import connect, first_byte
from bench.stacks import ASYNCSSH, GO, OPENSSH, OURS, Stacks

__all__ = ["measure_stalled"]

READ_FIRST = 16_000_000  # bytes each download is read before it stalls
SETTLE = 1.5  # seconds without change after which nothing more is expected
MB = 1e6


def measure_stalled(stacks: Stacks, rounds: int, say: Callable[[str], None]) -> list[Figure]:
    """Stall one download, and twenty, through a fresh stack of each make."""
    found = Findings()
    for number in range(rounds):
        say(f"stalled readers, round {number + 1} of {rounds}")
        for name in (OURS, GO, OPENSSH, ASYNCSSH):
            if stacks.missing(name):
                continue
            for downloads in (1, 20):
                for (measure, unit), value in _one(stacks, name, downloads).items():
                    found.add(f"{downloads} stalled: {measure}", name, unit, value)
    return found.figures()


def _one(stacks: Stacks, name: str, downloads: int) -> dict[tuple[str, str], float]:
    with ExitStack() as exits:
        stack = exits.enter_context(stacks.start(name))
        origin = exits.enter_context(PouringOrigin())
        echo = exits.enter_context(EchoOrigin())
        first_byte(stack.socks_port, echo)
        before = [resident_bytes([pid]) for pid in stack.pids]
        peers = [exits.enter_context(connect(stack.socks_port, origin.port)) for _ in range(downloads)]
        received = _read_a_while(peers, downloads * READ_FIRST)
        _settle(lambda: origin.sent)
        parked = origin.sent - received
        ends = {origin.port, stack.socks_port}
        near = sum(q.unsent + q.unread for q in tcp_queues() if ends & {q.local_port, q.remote_port})
        pids = stack.pids
        grown = [resident_bytes([pid]) - base for pid, base in zip(pids, before, strict=True)]
        begun = time.perf_counter()
        alive = _passes(stack.socks_port, echo)
        beside = (time.perf_counter() - begun) * 1e3
        return {
            ("parked between origin and application", "MB"): parked / MB,
            ("of it outside the buffers of origin's and application's sockets", "MB"): (parked - near) / MB,
            ("growth of the client", "MB"): grown[0] / MB,
            ("growth of the server", "MB"): grown[1] / MB,
            ("a forward beside it", "ms"): beside if alive else float("inf"),
        }


def _passes(socks_port: int, echo: EchoOrigin) -> bool:
    try:
        first_byte(socks_port, echo)
    except (BenchError, OSError):
        return False
    return True


def _read_a_while(peers: list[socket.socket], total: int) -> int:
    """Read from all in turn until `total` bytes have come; return how many did."""
    buffer, received = bytearray(1 << 18), 0
    with selectors.DefaultSelector() as selector:
        for peer in peers:
            selector.register(peer, selectors.EVENT_READ)
        while received < total:
            for key, _ in selector.select(30):
                assert isinstance(key.fileobj, socket.socket)
                received += key.fileobj.recv_into(buffer)
    return received


def _settle(count: Callable[[], int]) -> None:
    """Wait until nothing has moved for a while."""
    last, since = count(), time.monotonic()
    while time.monotonic() - since < SETTLE:
        time.sleep(0.1)
        if count() != last:
            last, since = count(), time.monotonic()
