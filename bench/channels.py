"""What an idle port forward costs either end: open many, pass a byte through each, and look at memory."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from bench.figures import Figure, Findings
from bench.origins import EchoOrigin
from bench.procfs import resident_bytes
from bench.socks import connect
from bench.stacks import ASYNCSSH, GO, OURS, Stacks

__all__ = ["measure_idle_channels"]

_SERVERS = {OURS: "headrace", GO: "psiphond", ASYNCSSH: "asyncssh"}
#: A tunnel carries no more than 4,096 channels, so the server's load comes from several clients.
CLIENTS = 3


def measure_idle_channels(
    stacks: Stacks, rounds: int, count: int, say: Callable[[str], None]
) -> list[Figure]:
    """Open `count` port forwards through CLIENTS clients of one server."""
    found = Findings()
    for number in range(rounds):
        say(f"idle channels, round {number + 1} of {rounds}")
        for name in _SERVERS:
            if not stacks.missing(name):
                for end, each in _one(stacks, name, count).items():
                    found.add(f"memory of an idle channel at the {end}", name, "KB", each)
    return found.figures()


def _one(stacks: Stacks, name: str, count: int) -> dict[str, float]:
    with ExitStack() as stack:
        server = stack.enter_context(stacks.server(_SERVERS[name]))
        clients = [stacks.client(stack, server, name) for _ in range(CLIENTS)]
        origin = stack.enter_context(EchoOrigin())
        ends = {"client": [client.client.pid for client in clients], "server": [server.program.pid]}

        def grow(total: int) -> None:
            for number in range(total):
                peer = stack.enter_context(connect(clients[number % CLIENTS].socks_port, origin.port))
                peer.sendall(b"x")
                peer.recv(1)

        grow(CLIENTS * 10)
        time.sleep(0.5)
        before = _memory(ends)
        grow(count)
        time.sleep(1.0)
        after = _memory(ends)
        return {end: (after[end] - before[end]) / count / 1024 for end in ends}


def _memory(ends: dict[str, Sequence[int]] | dict[str, list[int]]) -> dict[str, int]:
    return {end: resident_bytes(pids) for end, pids in ends.items()}
