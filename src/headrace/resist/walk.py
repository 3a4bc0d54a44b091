"""F7: walk a stream by packet lengths that stand in the clear, which tells SSH from random bytes.

A length is plausible if it is one an SSH packet may have; where it leads there must be another. For random
bytes a link survives with a probability of 2 in a million, so four in a row are conclusive.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from headrace.resist.flows import Sample

__all__ = ["CONCLUSIVE", "Walk", "longest_chain"]

#: Lengths of tags: AES-GCM's, and of the MACs that are used encrypt-then-MAC.
TAGS: Final = (16, 20, 32, 64)
LEAST, MOST = 12, 35_000
#: This many links are more than chance.
CONCLUSIVE: Final = 4
#: The most that may be found in ours.
TOLERATED: Final = 2


class Walk:
    """The detector. Both directions of each connection are walked."""

    id = "F7"
    control = "ssh"

    def version(self) -> str:
        return "rule"

    def flags(self, sample: Sample) -> list[bool]:
        """Say of each connection whether a chain longer than chance is in it, in either direction."""
        return [
            max(longest_chain(flow.stream(up=up)) for up in (True, False)) > TOLERATED
            for flow in sample.flows
        ]


def longest_chain(stream: bytes) -> int:
    """Return the longest run of plausible lengths from any offset, for any size of tag."""
    if len(stream) < 4:
        return 0
    data: NDArray[Any] = np.frombuffer(stream, np.uint8).astype(np.int64)
    lengths = (data[:-3] << 24) | (data[1:-2] << 16) | (data[2:-1] << 8) | data[3:]
    starts = np.flatnonzero((lengths >= LEAST) & (lengths <= MOST) & (lengths % 4 == 0))
    best = 0
    for tag in TAGS:
        following = starts + 4 + lengths[starts] + tag
        inside = following <= len(stream)
        chain: dict[int, int] = {}
        for start, after in zip(starts[inside][::-1].tolist(), following[inside][::-1].tolist(), strict=True):
            chain[start] = length = 1 + chain.get(after, 0)
            best = max(best, length)
    return best
