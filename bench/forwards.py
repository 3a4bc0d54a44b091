"""Very many port forwards open at once: whether each is granted and carries, and what the server pays."""

import time
from collections.abc import Callable

from bench.crowds import crowd, each_server, failures, quantile
from bench.figures import Figure, Findings
from bench.origins import EchoOrigin
from bench.procfs import cpu_seconds, resident_bytes
from bench.stacks import Server, Stacks

__all__ = ["measure_forwards"]

AT_ONCE = 100  # forwards being opened, and bytes under way


def measure_forwards(
    stacks: Stacks, rounds: int, tunnels: int, count: int, say: Callable[[str], None]
) -> list[Figure]:
    """Open `count` forwards over `tunnels`, then send a byte through every one of them and back."""
    found = Findings()
    for number in range(rounds):
        for subject, kind in each_server(stacks):
            say(f"port forwards at {subject}, round {number + 1} of {rounds}")
            with stacks.server(kind) as server:
                _one(found, server, subject, tunnels, count)
    return found.figures()


def _one(found: Findings, server: Server, subject: str, tunnels: int, count: int) -> None:
    name = f"{count:,} port forwards"
    pids = [server.program.pid]
    with EchoOrigin() as origin, crowd(server) as clients:
        clients.insist("open", count=tunnels, at_once=8)
        clients.insist("spread", port=origin.port, each=1, at_once=AT_ONCE)
        time.sleep(1.0)
        before, spent = resident_bytes(pids), cpu_seconds(pids)
        opened = clients.order("spread", port=origin.port, each=count // tunnels - 1, at_once=AT_ONCE)
        cpu = cpu_seconds(pids) - spent
        time.sleep(1.0)
        memory = resident_bytes(pids) - before
        echoed = clients.order("echo", at_once=AT_ONCE)
    (refused, why), (lost, how) = failures(opened), failures(echoed)
    found.add(f"{name}: refused", subject, "", refused, why)
    found.add(f"{name}: without an echo", subject, "", refused + lost, how)
    found.add(f"{name}: opened", subject, "1/s", len(opened["times"]) / opened["seconds"])
    found.add(f"{name}: time to open, p99", subject, "ms", quantile(opened["times"], 0.99) * 1e3)
    found.add(f"{name}: time of an echo, p99", subject, "ms", quantile(echoed["times"], 0.99) * 1e3)
    found.add(f"{name}: memory of one at the server", subject, "KB", memory / count / 1024)
    found.add(f"{name}: CPU of the server to open one", subject, "ms", cpu * 1e3 / count)
