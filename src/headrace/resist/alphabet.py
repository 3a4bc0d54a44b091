"""F8: few values at one place of every packet, as OpenVPN's opcodes (Xue et al., USENIX Security 2022).

Of the first hundred segments of each direction the values of the first eight bytes are counted, position by
position. A position is suspect with an alphabet of four to ten values, or if one value is there so often as
chance would have it once in a million. Prefixes and HTTP framing are not looked at: they are to be found.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from scipy.stats import binom

from headrace.resist.flows import Flow, Sample

__all__ = ["Alphabet", "suspect"]

SEGMENTS: Final = 100
POSITIONS: Final = 8
#: With fewer segments, a small alphabet means nothing.
ENOUGH: Final = 40
FEWEST, MOST = 4, 10
LEVEL: Final = 1e-6

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
        if total and 256 * binom.sf(max(values.values()) - 1, total, 1 / 256) < LEVEL / POSITIONS:
            return True
    return False


def _payloads(flow: Flow, sample: Sample, *, up: bool) -> list[bytes]:
    payloads = [segment.payload for segment in flow.segments if segment.up == up]
    if sample.framed:
        payloads = [
            payload[head.end() :] if (head := _CHUNK_HEAD.match(payload)) else payload for payload in payloads
        ]
    return payloads[1:] if sample.http else payloads
