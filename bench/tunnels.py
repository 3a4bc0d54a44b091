"""Tunnels in numbers: how fast they are set up, and what idle ones cost the server."""

import time
from collections import defaultdict
from collections.abc import Callable

from bench.crowds import crowd
from bench.figures import Figure
from bench.procfs import cpu_seconds, resident_bytes
from bench.stacks import OURS_OVER_GO, Stacks

__all__ = ["measure_handshakes", "measure_idle_tunnels"]

AT_ONCE = 8
KEEPALIVE = 90.0  # seconds; clients draw from 60 to 120
#: (subject, kind of server, tunnel protocol)
_SUBJECTS = (
    ("headrace OSSH", "headrace", "OSSH"),
    ("headrace SSH", "headrace", "SSH"),
    ("our client, Go server OSSH", "psiphond", "OSSH"),
    ("our client, Go server SSH", "psiphond", "SSH"),
    ("asyncssh", "asyncssh", "SSH"),
)


def _subjects(stacks: Stacks) -> list[tuple[str, str, str]]:
    return [subject for subject in _SUBJECTS if subject[1] != "psiphond" or not stacks.missing(OURS_OVER_GO)]


def measure_handshakes(stacks: Stacks, rounds: int, count: int, say: Callable[[str], None]) -> list[Figure]:
    """Set up tunnels from one client process to one server process, AT_ONCE at a time."""
    found: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for number in range(rounds):
        say(f"handshakes, round {number + 1} of {rounds}")
        for name, kind, protocol in _subjects(stacks):
            with stacks.server(kind) as server, crowd(server, protocol) as clients:
                clients.insist("open", count=AT_ONCE, at_once=AT_ONCE)
                spent = [cpu_seconds([pid]) for pid in (clients.pid, server.program.pid)]
                seconds = clients.insist("open", count=count, at_once=AT_ONCE)["seconds"]
                client, both = (
                    (cpu_seconds([pid]) - before) * 1e3 / count
                    for pid, before in zip((clients.pid, server.program.pid), spent, strict=True)
                )
                found["tunnels set up", name, "1/s"].append(count / seconds)
                found["tunnels set up: CPU of the client", name, "ms each"].append(client)
                found["tunnels set up: CPU of the server", name, "ms each"].append(both)
    return [Figure(measure, name, unit, tuple(values)) for (measure, name, unit), values in found.items()]


def measure_idle_tunnels(
    stacks: Stacks, rounds: int, count: int, seconds: float, say: Callable[[str], None]
) -> list[Figure]:
    """Hold `count` tunnels open: what each adds to the server's memory, and what all cost of a core.

    Keep-alives run at the clients' usual pace while the CPU time is taken.
    """
    found: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for number in range(rounds):
        say(f"idle tunnels, round {number + 1} of {rounds}")
        for name, kind, protocol in _subjects(stacks):
            with stacks.server(kind) as server, crowd(server, protocol) as clients:
                pids = [server.program.pid]
                clients.insist("open", count=AT_ONCE, at_once=AT_ONCE)
                time.sleep(0.5)
                before = resident_bytes(pids)
                clients.insist("open", count=count, at_once=AT_ONCE)
                time.sleep(1.0)
                each = (resident_bytes(pids) - before) / count / 1024
                found["memory of an idle tunnel at the server", name, "KB"].append(each)
                found["memory of a server with no tunnel", name, "MB"].append(before / 1e6)
                if kind == "asyncssh":
                    continue
                clients.order("keepalive", period=KEEPALIVE)
                spent = cpu_seconds(pids)
                time.sleep(seconds)
                share = (cpu_seconds(pids) - spent) / seconds * 100 * 2000 / count
                found["CPU of 2,000 idle tunnels", name, "% of a core"].append(share)
    return [Figure(measure, name, unit, tuple(values)) for (measure, name, unit), values in found.items()]
