"""A flow as one sees it who cannot read it: the sizes of its segments and bursts, in order and by direction.

Sizes are signed: positive from the client, negative from the server. On loopback a segment may have 64 KB;
`on_ethernet` cuts it up as it would be elsewhere, since every observer of sizes sees it so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

__all__ = ["MSS", "Burst", "bursts", "on_ethernet"]

#: Payload of a full segment on Ethernet, with time stamps.
MSS: Final = 1448


@dataclass(frozen=True, slots=True)
class Burst:
    """Consecutive segments of one direction: how many, and their bytes together."""

    upstream: bool
    segments: int
    size: int


def on_ethernet(sizes: Iterable[int], mss: int = MSS) -> list[int]:
    """Return the sizes with each one that is above `mss` cut into full segments and a rest."""
    cut = []
    for size in sizes:
        sign = 1 if size > 0 else -1
        full, rest = divmod(abs(size), mss)
        cut += [sign * mss] * full
        if rest:
            cut.append(sign * rest)
    return cut


def bursts(sizes: Sequence[int]) -> list[Burst]:
    """Group what goes one way until something goes the other."""
    found = []
    for upstream, segments in groupby(sizes, key=lambda size: size > 0):
        group = list(segments)
        found.append(Burst(upstream, len(group), abs(sum(group))))
    return found
