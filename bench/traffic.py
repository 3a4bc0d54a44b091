"""Bulk and port forwards through every stack, side by side: one stream down, one up, and short forwards."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.figures import Figure
from bench.generator import Generator, Load
from bench.procfs import cpu_seconds
from bench.programs import BenchError
from bench.stacks import Stack

__all__ = ["FORWARD_SIZE", "LOADS", "measure_traffic"]

BULK = 256_000_000  # bytes of one stream
FORWARD_SIZE = 1024  # bytes that one short forward brings


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of load; `per` is what the CPU time of both ends is divided by."""

    measure: str
    unit: str
    clients: int
    requests: int
    size: int
    up: bool = False

    @property
    def bulk(self) -> bool:
        return self.unit == "MB/s"

    def value(self, load: Load) -> float:
        return load.rate * self.size / 1e6 if self.bulk else load.rate

    def cpu(self, seconds: float) -> float:
        """CPU time per unit of work: ms per GB, or µs per forward."""
        return seconds * 1e12 / (self.requests * self.size) if self.bulk else seconds * 1e6 / self.requests


LOADS = (
    Work("bulk down", "MB/s", 1, 1, BULK),
    Work("bulk up", "MB/s", 1, 1, BULK, up=True),
    Work("forwards, 1 at once", "1/s", 1, 500, FORWARD_SIZE),
    Work("forwards, 20 at once", "1/s", 20, 3000, FORWARD_SIZE),
    Work("forwards, 100 at once", "1/s", 100, 3000, FORWARD_SIZE),
)


def measure_traffic(
    generator: Generator, stacks: Sequence[Stack], rounds: int, say: Callable[[str], None]
) -> list[Figure]:
    """Load every stack with everything, `rounds` times over; the order turns with each round."""
    rates: dict[tuple[Work, str], list[float]] = defaultdict(list)
    cpu: dict[tuple[Work, str, str], list[float]] = defaultdict(list)
    for stack in stacks:  # windows have grown and code is warm before anything counts
        for up in (False, True):
            generator.run(stack.socks_port, clients=1, requests=1, size=BULK // 8, up=up)
        generator.run(stack.socks_port, clients=20, requests=300, size=FORWARD_SIZE)
    for number in range(rounds):
        say(f"traffic, round {number + 1} of {rounds}")
        turned = [*stacks[number % len(stacks) :], *stacks[: number % len(stacks)]]
        for work in LOADS:
            for stack in turned:
                before = [cpu_seconds([pid]) for pid in stack.pids]
                load = _load(generator, stack, work)
                rates[work, stack.name].append(work.value(load))
                for end, pid, spent in zip(("client", "server"), stack.pids, before, strict=True):
                    cpu[work, stack.name, end].append(work.cpu(cpu_seconds([pid]) - spent))
    notes = {stack.name: stack.cipher for stack in stacks}
    figures = [
        Figure(work.measure, name, work.unit, tuple(values), notes[name])
        for (work, name), values in rates.items()
    ]
    for (work, name, end), values in cpu.items():
        unit = "ms/GB" if work.bulk else "µs each"
        figures.append(Figure(f"{work.measure}: CPU of the {end}", name, unit, tuple(values), notes[name]))
    return figures


def _load(generator: Generator, stack: Stack, work: Work) -> Load:
    """Run one load. Raises BenchError naming the stack, and what its programs said last."""
    try:
        return generator.run(
            stack.socks_port, clients=work.clients, requests=work.requests, size=work.size, up=work.up
        )
    except BenchError as error:
        said = "; ".join(f"{program.log.stem}: {program.tail()}" for program in (stack.client, stack.server))
        raise BenchError(f"{stack.name}, {work.measure}: {error} ({said})") from error
