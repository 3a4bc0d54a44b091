"""F4: the sizes of a flow's first segments, beside those of ordinary exchanges over HTTP.

Three observers: one for whom a first message of 149 bytes or more is suspect if it cannot be compressed; one
that looks for single sizes, or pairs of them, that our flows have often and others do not; and one that
learns. The last is given half of our flows and half of the ordinary programs, and judges the other halves:
no program is on both sides.
"""

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from headrace.resist.flows import Sample
from headrace.resist.learner import FALSE_POSITIVES, LEARNER_VERSION, Separation, separation_on
from headrace.resist.report import Row
from headrace.resist.shapes import on_ethernet

__all__ = [
    "FirstFlights",
    "Flight",
    "Ordinary",
    "Peculiar",
    "first_flight",
    "opaque",
    "peculiar_sizes",
    "tell_from_programs",
]

#: How many segments of each direction are looked at.
SEGMENTS: Final = 5

#: From so many bytes on a first message that cannot be compressed is suspect.
OPAQUE_SIZE: Final = 149

#: A size is peculiar that more than this share of ours has, and so many times as many of ours as of others.
PECULIAR_SHARE: Final = 0.01
PECULIAR_FACTOR: Final = 5
PECULIAR_LEVEL: Final = 1e-3

#: What the observer that learns may at most achieve: area under the curve, and share caught.
AUC_LIMIT: Final = 0.6
CAUGHT_LIMIT: Final = 0.01

#: What it must achieve with flows that are none of HTTP.
CONTROL_AUC: Final = 0.9

#: Sizes of the first segments from the client, then of those from the server; 0 where there is none.
Flight = tuple[int, ...]

_Item = tuple[str, int, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Peculiar:
    """What our flows have often: direction ("up", "down" or "both"), which segment, its size or sizes."""

    direction: str
    segment: int
    sizes: tuple[int, ...]
    share: float
    others: float

    def __str__(self) -> str:
        sizes = " and ".join(map(str, self.sizes))
        return f"{self.direction} {self.segment}: {sizes} ({self.share:.1%}, others {self.others:.1%})"


def first_flight(sizes: Iterable[int]) -> Flight:
    """Return the first five sizes of each direction, from signed ones."""
    up: list[int] = []
    down: list[int] = []
    for size in sizes:
        (up if size > 0 else down).append(abs(size))
        if len(up) >= SEGMENTS and len(down) >= SEGMENTS:
            break
    return tuple(way[i] if i < len(way) else 0 for way in (up, down) for i in range(SEGMENTS))


def opaque(payload: bytes) -> bool:
    """Whether a first message is long enough, and nothing that a compressor can make shorter."""
    return len(payload) >= OPAQUE_SIZE and len(zlib.compress(payload, 9)) >= len(payload)


def peculiar_sizes(ours: Sequence[Flight], others: Sequence[Flight]) -> list[Peculiar]:
    """Return the sizes and pairs that more than 1 % of our flows have, and five times the share of others.

    It must be more than chance would have it of a size with a share of 1 %: in a small sample that is much.
    """
    here, there = _counted(ours), _counted(others)
    found = []
    for (direction, segment, sizes), count in here.most_common():
        share = count / len(ours)
        if binom.sf(count - 1, len(ours), PECULIAR_SHARE) > PECULIAR_LEVEL:
            break
        elsewhere = there[direction, segment, sizes] / len(others)
        if share >= PECULIAR_FACTOR * elsewhere:
            found.append(Peculiar(direction, segment, sizes, share, elsewhere))
    return found


def _counted(flights: Iterable[Flight]) -> Counter[_Item]:
    return Counter(item for flight in flights for item in _items(flight))


def _items(flight: Flight) -> Iterator[_Item]:
    for segment, (up, down) in enumerate(zip(flight[:SEGMENTS], flight[SEGMENTS:], strict=True), 1):
        if up:
            yield "up", segment, (up,)
        if down:
            yield "down", segment, (down,)
        if up and down:
            yield "both", segment, (up, down)


def tell_from_programs(
    ours: Sequence[Flight], programs: Mapping[str, Sequence[Flight]], *, seed: int
) -> Separation:
    """Learn ours from the flights of half of the `programs`, by name, and judge the rest; then the other way.

    The programs, of which there must be two, are divided so that both halves have about as many flights.
    """
    parts: list[list[str]] = [[], []]
    for name in sorted(programs, key=lambda name: len(programs[name]), reverse=True):
        min(parts, key=lambda part: sum(len(programs[other]) for other in part)).append(name)
    if not parts[1]:
        raise ValueError("one program alone cannot be on both sides")
    order = np.random.default_rng(seed).permutation(len(ours))
    halves = [
        (order[side::2], [flight for name in parts[side] for flight in programs[name]]) for side in (0, 1)
    ]
    flights = np.array(ours, float)
    rows: list[NDArray[Any]] = []
    for some, others in halves:
        rows += [flights[some], np.array(others, float)]
    sizes = [len(row) for row in rows]
    kinds = np.repeat([1, 0, 1, 0], sizes)
    first, second = np.split(np.arange(sum(sizes)), [sizes[0] + sizes[1]])
    return separation_on(np.concatenate(rows), kinds, [(first, second), (second, first)], seed=seed)


class Ordinary:
    """What ours are compared with: flows by the program that made them, and other flows for the control.

    The latter must be told from the ordinary ones, or nothing is proved. Flows are their signed sizes.
    """

    def __init__(
        self, programs: Mapping[str, Sequence[Sequence[int]]], others: Sequence[Sequence[int]], seed: int
    ) -> None:
        self.programs = {name: [first_flight(flow) for flow in flows] for name, flows in programs.items()}
        self.flights = [flight for flights in self.programs.values() for flight in flights]
        self.seed = seed
        control = [first_flight(flow) for flow in others]
        self.learner_control = tell_from_programs(control, self.programs, seed=seed)
        self.sizes_control = len(peculiar_sizes(control, self.flights))

    def __str__(self) -> str:
        return f"beside {len(self.flights):,} exchanges of {len(self.programs)} programs"


class FirstFlights:
    """Gathers the connections of one subject, and judges them beside ordinary ones."""

    def __init__(self, ordinary: Ordinary) -> None:
        self._ordinary = ordinary
        self._flights: list[Flight] = []
        self._opaque = 0

    def take(self, sample: Sample) -> None:
        """Keep what is needed of some more connections."""
        self._flights += [first_flight(on_ethernet(flow.sizes)) for flow in sample.flows]
        self._opaque += sum(opaque(flow.first(up=True)) for flow in sample.flows)

    def rows(self, subject: str) -> list[Row]:
        """Return a row for each observer. The second's hits are sizes, the third's connections."""
        sample = len(self._flights)
        if not sample:
            return []
        ordinary = self._ordinary
        seed = ordinary.seed
        found = peculiar_sizes(self._flights, ordinary.flights)
        learned = tell_from_programs(self._flights, ordinary.programs, seed=seed)
        noise = opaque(np.random.default_rng(seed).bytes(OPAQUE_SIZE))
        return [
            Row(
                detector="F4 opaque",
                subject=subject,
                sample=sample,
                hits=self._opaque,
                bar="",
                met=None,
                control=f"noise: {noise:d} of 1",
                control_ok=noise,
                version=f"zlib {zlib.ZLIB_RUNTIME_VERSION}",
                seed=seed,
            ),
            Row(
                detector="F4 sizes",
                subject=subject,
                sample=sample,
                hits=len(found),
                bar="none",
                met=not found,
                control=f"direct TLS: {ordinary.sizes_control} found",
                control_ok=ordinary.sizes_control > 0,
                version="rule",
                seed=seed,
                note="; ".join([str(ordinary), *map(str, found[:3])]),
                of_sample=False,
            ),
            Row(
                detector="F4 learned",
                subject=subject,
                sample=sample,
                hits=round(learned.caught * sample),
                bar=f"AUC {AUC_LIMIT}, {CAUGHT_LIMIT:.0%} at {FALSE_POSITIVES:.1%} false alarms",
                met=learned.auc <= AUC_LIMIT and learned.caught <= CAUGHT_LIMIT,
                control=f"direct TLS: AUC {ordinary.learner_control.auc:.3f}",
                control_ok=ordinary.learner_control.auc > CONTROL_AUC,
                version=LEARNER_VERSION,
                seed=seed,
                note=f"{ordinary}: AUC {learned.auc:.3f}",
            ),
        ]
