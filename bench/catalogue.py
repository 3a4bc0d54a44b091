"""Every bench by name, and how large it is."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from bench.arrivals import measure_arrivals
from bench.blocked import RUNS, measure_blocked
from bench.channels import measure_idle_channels
from bench.churn import FOUR_HOURS, measure_churn
from bench.establishments import ESTABLISHMENTS, measure_establishments
from bench.fairness import measure_fairness
from bench.figures import Figure
from bench.forwards import measure_forwards
from bench.generator import Generator
from bench.http import measure_http
from bench.network import measure_network
from bench.padding import measure_padding
from bench.probes import measure_probes
from bench.procfs import load_average
from bench.stacks import ASYNCSSH, GO, GO_OVER_OURS, OPENSSH, OURS, OURS_OVER_GO, Stacks
from bench.stalled import measure_stalled
from bench.start import measure_start
from bench.store import measure_store
from bench.traffic import measure_traffic
from bench.tunnels import measure_handshakes, measure_idle_tunnels

__all__ = ["BENCHES", "GROUPS", "Run"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Run:
    """How the command line wants it. `asked_rounds` is None where it does not say."""

    root: Path
    stacks: Stacks
    asked_rounds: int | None
    quick: bool
    console: Console

    @property
    def rounds(self) -> int:
        return self.asked_rounds or self.pick(1, 5)

    @property
    def few(self) -> int:
        """Rounds for figures that hardly vary."""
        return min(self.rounds, 2)

    def pick(self, quick: T, whole: T) -> T:
        return quick if self.quick else whole

    def say(self, text: str) -> None:
        self.console.print(f"{text} (load average {load_average():.1f})")


def _traffic(run: Run) -> list[Figure]:
    generator = Generator(run.root)
    if not generator.native:
        run.console.print("[yellow]no C compiler: the load comes from Python; fast subjects are understated")
    with ExitStack() as exits:
        running = []
        for name in (OURS, GO, GO_OVER_OURS, OURS_OVER_GO, OPENSSH, ASYNCSSH):
            if why := run.stacks.missing(name):
                run.console.print(f"[yellow]without {name}: {why}")
            else:
                running.append(exits.enter_context(run.stacks.start(name)))
        return measure_traffic(generator, running, run.rounds, run.say)


def _http(run: Run) -> list[Figure]:
    return measure_http(Generator(run.root), run.stacks, run.rounds, run.pick(500, 4000), run.say)


def _store(run: Run) -> list[Figure]:
    stored, imported = run.pick((10_000, 1_000), (100_000, 10_000))
    return measure_store(run.root, run.few, stored, imported, run.say)


def _network(run: Run) -> list[Figure]:
    size, drilled = run.pick(((400, 10, 20), 50), ((5000, 50, 200), 500))
    return measure_network(run.root, run.few, size, drilled, run.say)


BENCHES: dict[str, Callable[[Run], list[Figure]]] = {
    "traffic": _traffic,
    "http": _http,
    "handshakes": lambda run: measure_handshakes(run.stacks, run.rounds, run.pick(100, 300), run.say),
    "tunnels": lambda run: measure_idle_tunnels(
        run.stacks, run.few, run.pick(300, 2000), run.pick(5, 20), run.say
    ),
    "channels": lambda run: measure_idle_channels(run.stacks, run.few, run.pick(3000, 9900), run.say),
    "stalled": lambda run: measure_stalled(run.stacks, run.few, run.say),
    "start": lambda run: measure_start(run.stacks, run.root, run.rounds, run.say),
    "store": _store,
    "blocked": lambda run: measure_blocked(run.root, run.asked_rounds or run.pick(2, RUNS), run.say),
    "establishments": lambda run: measure_establishments(run.pick(1000, ESTABLISHMENTS), run.say),
    "arrivals": lambda run: measure_arrivals(run.stacks, run.few, run.pick(10, 60), run.say),
    "fairness": lambda run: measure_fairness(run.stacks, run.few, 300, run.pick(5, 20), run.say),
    "padding": lambda run: measure_padding(
        run.stacks, Generator(run.root), run.rounds, run.pick(20, 200), run.say
    ),
    "probes": lambda run: measure_probes(run.stacks, run.few, run.pick(500, 5000), run.pick(10, 30), run.say),
    "forwards": lambda run: measure_forwards(run.stacks, run.few, 100, run.pick(1000, 10_000), run.say),
    "network": _network,
    "churn": lambda run: measure_churn(run.stacks, run.pick(800, FOUR_HOURS), run.say),
}
#: Several benches under one name.
GROUPS = {"crowded": ("tunnels", "arrivals", "fairness", "probes", "forwards", "churn")}
