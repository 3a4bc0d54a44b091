"""F8: few values at one place of every packet, as OpenVPN's opcodes (Xue et al., USENIX Security 2022).

Of the first hundred segments of each direction the values of the first eight bytes are counted, position by
position. On loopback a segment may have 64 KB; it is cut as it would be on Ethernet. A position is suspect
with an alphabet of four to ten values, or if so many of its values are equal as chance would have it once in
a million. Prefixes and HTTP framing are not looked at: they are to be found.

Too few are counted for a chi-square test, whose statistic is the number of pairs of equal values by another
name. How many there are by chance is computed, for up to a hundred draws of 256 values.
"""

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from math import lgamma
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from headrace.resist.flows import Flow, Sample
from headrace.resist.shapes import MSS

__all__ = ["Alphabet", "most_pairs", "suspect"]

SEGMENTS: Final = 100
POSITIONS: Final = 8
#: With fewer segments, a small alphabet means nothing.
ENOUGH: Final = 40
FEWEST, MOST = 4, 10
LEVEL: Final = 1e-6
#: Pairs that are counted: chance has never so many.
_PAIRS: Final = 128

#: Ours writes whole chunks, so that a segment begins with a size or within what is in one.
_CHUNK_HEAD: Final = re.compile(rb"[0-9a-f]{1,8}\r\n")


class Alphabet:
    """The detector."""

    id = "F8"
    control = "opcodes"

    def version(self) -> str:
        return "rule"

    def flags(self, sample: Sample) -> list[bool]:
        """Say of each connection whether any position is suspect, in either direction."""
        return [any(suspect(_payloads(flow, sample, up=up)) for up in (True, False)) for flow in sample.flows]


def suspect(payloads: Sequence[bytes]) -> bool:
    """Say whether any of the first eight bytes of these payloads has too small or too uneven an alphabet."""
    for position in range(POSITIONS):
        values = Counter(payload[position] for payload in payloads[:SEGMENTS] if len(payload) > position)
        total = values.total()
        if total >= ENOUGH and FEWEST <= len(values) <= MOST:
            return True
        if sum(map(_pairs, values.values())) > most_pairs(total, LEVEL / POSITIONS):
            return True
    return False


@cache
def most_pairs(draws: int, level: float) -> int:
    """Return the most pairs of equal values of so many random bytes, up to 100, but for a share `level`."""
    return int(np.argmax(_beyond()[draws] < level))


def _pairs(count: int) -> int:
    return count * (count - 1) // 2


@cache
def _beyond() -> NDArray[Any]:
    """Return the probability that of `n` random bytes more than `k` pairs are equal, at [n, k].

    In how many ways n draws from some values make k pairs, over n!, is at [n, k] for one value first; for
    twice as many values the draws are divided among the two halves, and pairs add up.
    """
    ways = np.zeros((SEGMENTS + 1, _PAIRS))
    for draws in range(SEGMENTS + 1):
        if _pairs(draws) < _PAIRS:
            ways[draws, _pairs(draws)] = np.exp(-lgamma(draws + 1))
    for _ in range(8):
        twice = np.zeros_like(ways)
        for one in range(SEGMENTS + 1):
            for other in range(SEGMENTS + 1 - one):
                twice[one + other] += np.convolve(ways[one], ways[other])[:_PAIRS]
        ways = twice
    all_ways = [np.exp(draws * np.log(256) - lgamma(draws + 1)) for draws in range(SEGMENTS + 1)]
    return 1 - np.cumsum(ways / np.array(all_ways)[:, None], axis=1)


def _payloads(flow: Flow, sample: Sample, *, up: bool) -> list[bytes]:
    """Return the payloads of a direction as they would be on Ethernet, behind a prefix, without framing."""
    payloads = [segment.payload for segment in flow.segments if segment.up == up][sample.http :]
    if sample.framed:
        payloads = [
            payload[head.end() :] if (head := _CHUNK_HEAD.match(payload)) else payload for payload in payloads
        ]
    return [payload[start : start + MSS] for payload in payloads for start in range(0, len(payload), MSS)]
