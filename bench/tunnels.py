"""Tunnels in numbers: how fast they are set up, and what idle ones cost the server."""

import time
from collections.abc import Callable

from bench.crowds import crowd
from bench.figures import Figure, Findings
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
    found = Findings()
    for number in range(rounds):
        say(f"handshakes, round {number + 1} of {rounds}")
        for name, kind, protocol in _subjects(stacks):
            with stacks.server(kind) as server, crowd(server, protocol) as clients:
                clients.insist("open", count=AT_ONCE, at_once=AT_ONCE)
                pids = {"client": clients.pid, "server": server.program.pid}
                spent = {end: cpu_seconds([pid]) for end, pid in pids.items()}
                seconds = clients.insist("open", count=count, at_once=AT_ONCE)["seconds"]
                used = {end: cpu_seconds([pid]) - spent[end] for end, pid in pids.items()}
                found.add("tunnels set up", name, "1/s", count / seconds)
                for end, cpu in used.items():
                    found.add(f"tunnels set up: CPU of the {end}", name, "ms each", cpu * 1e3 / count)
    return found.figures()


def measure_idle_tunnels(
    stacks: Stacks, rounds: int, count: int, seconds: float, say: Callable[[str], None]
) -> list[Figure]:
    """Hold `count` tunnels open: what each adds to the server's memory, and what all cost of a core.

    Keep-alives run at the clients' usual pace while the CPU time is taken.
    """
    found = Findings()
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
                found.add("memory of an idle tunnel at the server", name, "KB", each)
                found.add("memory of a server with no tunnel", name, "MB", before / 1e6)
                if kind == "asyncssh":
                    continue
                clients.order("keepalive", period=KEEPALIVE)
                spent = cpu_seconds(pids)
                time.sleep(seconds)
                share = (cpu_seconds(pids) - spent) / seconds * 100 * 2000 / count
                found.add("CPU of 2,000 idle tunnels", name, "% of a core", share)
    return found.figures()
