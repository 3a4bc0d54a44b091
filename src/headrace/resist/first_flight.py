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

from headrace.resist.learner import Separation, separation_on

__all__ = ["Flight", "Peculiar", "first_flight", "opaque", "peculiar_sizes", "tell_from_programs"]

#: How many segments of each direction are looked at.
SEGMENTS: Final = 5

#: From so many bytes on a first message that cannot be compressed is suspect.
OPAQUE_SIZE: Final = 149

#: A size is peculiar that more than this share of ours has, and so many times as many of ours as of others.
PECULIAR_SHARE: Final = 0.01
PECULIAR_FACTOR: Final = 5

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
    """Return the sizes and pairs that more than 1 % of our flows have, and five times the share of others."""
    here, there = _counted(ours), _counted(others)
    found = []
    for (direction, segment, sizes), count in here.most_common():
        share = count / len(ours)
        if share <= PECULIAR_SHARE:
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
