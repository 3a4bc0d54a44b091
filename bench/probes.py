"""Strangers who connect, say nothing and stay: whether clients still get through."""

from collections.abc import Callable

from bench.crowds import crowd, each_server, failures, quantile
from bench.figures import Figure, Findings
from bench.procfs import cpu_seconds, resident_bytes
from bench.stacks import Stacks

__all__ = ["measure_probes"]

RATE = 10.0  # clients a second


def measure_probes(
    stacks: Stacks, rounds: int, probes: int, seconds: float, say: Callable[[str], None]
) -> list[Figure]:
    """Hold `probes` connections open while clients come; a probe that is thrown out comes back after 1 s."""
    found = Findings()
    name = f"{probes:,} probes"
    for number in range(rounds):
        for subject, kind in each_server(stacks):
            say(f"probes at {subject}, round {number + 1} of {rounds}")
            with stacks.server(kind) as server, crowd(server) as strangers, crowd(server) as clients:
                clients.insist("open", count=8, at_once=8)
                pids = [server.program.pid]
                before = resident_bytes(pids)
                strangers.order("probe", port=server.ports["OSSH"], count=probes)
                memory = resident_bytes(pids) - before
                spent = cpu_seconds(pids)
                answer = clients.order("arrive", rate=RATE, seconds=seconds)
                cpu = cpu_seconds(pids) - spent
                after = strangers.order("probes")
            found.add(f"{name}: clients that failed", subject, f"of {RATE * seconds:g}", *failures(answer))
            came_back = f"{after['thrown_out']:,} times one was thrown out"
            found.add(f"{name}: held in the end", subject, "", after["held"], came_back)
            found.add(f"{name}: memory of one at the server", subject, "KB", memory / probes / 1024)
            found.add(f"{name}: CPU of the server", subject, "% of a core", cpu / seconds * 100)
            for share, label in ((0.5, "p50"), (0.99, "p99")):
                value = quantile(answer["times"], share) * 1e3
                found.add(f"{name}: a client's time to a tunnel, {label}", subject, "ms", value)
    return found.figures()
