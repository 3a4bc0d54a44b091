"""Whether busy tunnels get equal shares: Jain's index over the bytes each received in the same time.

(Σx)² / (n·Σx²) is 1 when all are equal, and k/n when k of n share everything.
"""

import time
from collections.abc import Callable, Sequence

from bench.crowds import crowd, each_server, quantile
from bench.figures import Figure, Findings
from bench.origins import EchoOrigin, PouringOrigin
from bench.procfs import cpu_seconds
from bench.stacks import Server, Stacks

__all__ = ["jain", "measure_fairness"]

WARM_UP = 5.0  # seconds, for windows to grow
#: The tunnel that wants more than its share has so many forwards.
GREEDY = 32


def jain(shares: Sequence[float]) -> float:
    """Return Jain's fairness index, 0 when nobody got anything."""
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 0.0


def measure_fairness(
    stacks: Stacks, rounds: int, tunnels: int, seconds: float, say: Callable[[str], None]
) -> list[Figure]:
    """Let data pour through `tunnels`, with a forward each; then again while one has GREEDY forwards."""
    found = Findings()
    for number in range(rounds):
        for subject, kind in each_server(stacks):
            for greedy in (False, True):
                say(f"fairness at {subject}{', one greedy' * greedy}, round {number + 1} of {rounds}")
                with stacks.server(kind) as server:
                    for (measure, unit), value in _one(server, tunnels, greedy, seconds).items():
                        found.add(measure, subject, unit, value)
    return found.figures()


def _one(server: Server, tunnels: int, greedy: bool, seconds: float) -> dict[tuple[str, str], float]:
    name = f"{tunnels} busy tunnels" + (", one greedy" if greedy else "")
    with (
        PouringOrigin() as origin,
        EchoOrigin() as echo,
        crowd(server) as busy,
        crowd(server) as beside,
    ):
        busy.insist("open", count=tunnels, at_once=8)
        beside.insist("open", count=1, at_once=1)
        beside.insist("spread", port=echo.port, each=1, at_once=1)
        pids = {"server": [server.program.pid], "clients": [busy.pid]}
        busy.begin(
            "pour",
            port=origin.port,
            forwards=[GREEDY if greedy else 1] + [1] * (tunnels - 1),
            warm_up=WARM_UP,
            seconds=seconds,
        )
        time.sleep(WARM_UP)
        spent = {end: cpu_seconds(those) for end, those in pids.items()}
        begun = time.monotonic()
        times = beside.insist("ping", seconds=seconds, pause=0.05)["times"]
        cpu = {end: cpu_seconds(those) - spent[end] for end, those in pids.items()}
        passed = time.monotonic() - begun
        poured = busy.finish()
    received: list[float] = poured["bytes"]
    mean = sum(received) / tunnels
    return {
        (f"{name}: Jain index", ""): jain(received),
        (f"{name}: least share", "of the mean"): min(received) / mean if mean else 0.0,
        (f"{name}: largest share", "of the mean"): max(received) / mean if mean else 0.0,
        (f"{name}: all together", "MB/s"): sum(received) / poured["seconds"] / 1e6,
        (f"{name}: an echo beside them, p50", "ms"): quantile(times, 0.5) * 1e3,
        (f"{name}: an echo beside them, p99", "ms"): quantile(times, 0.99) * 1e3,
        **{(f"{name}: CPU of the {end}", "cores"): used / passed for end, used in cpu.items()},
    }
