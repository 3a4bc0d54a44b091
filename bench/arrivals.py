"""Clients that keep arriving, whether or not the server keeps up: failures, and the highest rate."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

from bench.crowds import crowd, each_server, failures, quantile
from bench.figures import Figure, Findings
from bench.procfs import cpu_seconds
from bench.stacks import OURS, Server, Stacks

__all__ = ["RATE", "measure_arrivals"]

RATE = 80  # tunnels a second that a server must take
#: Rates tried for the highest one, and how long each is kept up.
STEPS = tuple(range(60, 401, 20))
STEP_SECONDS = 10.0
#: What counts as sustained: no failure, and a tunnel within this time for 99 of 100 clients.
IN_TIME = 2.0  # seconds

Start = Callable[[], AbstractContextManager[Server]]


def measure_arrivals(stacks: Stacks, rounds: int, seconds: float, say: Callable[[str], None]) -> list[Figure]:
    """Have RATE clients a second arrive for so many seconds, then raise the rate until it is too much."""
    found = Findings()
    for number in range(rounds):
        servers = [(subject, partial(stacks.server, kind)) for subject, kind in each_server(stacks)]
        servers.insert(1, (f"{OURS}, 2 workers", partial(stacks.server, "headrace", workers=2)))
        for subject, start in servers:
            say(f"arrivals at {subject}, round {number + 1} of {rounds}")
            _at_rate(found, subject, start, seconds)
            highest, why = _highest(start, say)
            found.add("new tunnels sustained", subject, "1/s", highest, why)
    return found.figures()


def _at_rate(found: Findings, subject: str, start: Start, seconds: float) -> None:
    name = f"{RATE} new tunnels a second"
    count = round(RATE * seconds)
    with start() as server, crowd(server) as clients:
        clients.order("prepare", count=count)
        pids = {"clients": clients.pid, "server": server.program.pid}
        spent = {end: cpu_seconds([pid]) for end, pid in pids.items()}
        answer = clients.order("arrive", rate=RATE, seconds=seconds)
        for end, pid in pids.items():
            each = (cpu_seconds([pid]) - spent[end]) * 1e3 / count
            found.add(f"{name}: CPU of the {end}", subject, "ms each", each)
    found.add(f"{name}: failed", subject, f"of {count:,}", *failures(answer))
    for share, label in ((0.5, "p50"), (0.99, "p99")):
        value = quantile(answer["times"], share) * 1e3
        found.add(f"{name}: time to a tunnel, {label}", subject, "ms", value)
    found.add(f"{name}: clients were late by", subject, "ms", answer["late"] * 1e3)


def _highest(start: Start, say: Callable[[str], None]) -> tuple[float, str]:
    """Return the highest of STEPS that is sustained, and what went wrong at the next."""
    highest = 0.0
    for rate in STEPS:
        say(f"{rate} a second")
        with start() as server, crowd(server) as clients:
            clients.order("prepare", count=round(rate * STEP_SECONDS))
            answer = clients.order("arrive", rate=rate, seconds=STEP_SECONDS)
            failed, why = failures(answer)
            if failed:
                say(f"{why}; the server said: {server.program.tail()}")
        slowest = quantile(answer["times"], 0.99)
        if failed:
            return highest, f"at {rate}: {why}"
        if slowest > IN_TIME:
            blame = f"; clients were late by {answer['late']:.1f} s" if answer["late"] > 0.1 else ""
            return highest, f"at {rate}: p99 is {slowest:.1f} s{blame}"
        highest = rate
    return highest, "more was not tried"
