"""The tree that says which SLOKs combine into the key of a list (server lists spec §4.4, 4.6, 4.7).

    node: a key, split into shares, each in a box of its own; `threshold` of them give the key back
    ├── inner node: the key of box i is the key of child i
    └── leaf: the key of box i is the SLOK with ID i

A tree comes from a registry, so it is looked at with suspicion: its shape is checked when it is made, and
finding out whether it can be opened, or opening it, visits each node once at most.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from headrace.base.errors import DocumentError
from headrace.crypto.key_stream import KeyStream
from headrace.crypto.secret_box import KEY_SIZE, open_box, seal_box
from headrace.crypto.shamir import MAX_SHARES, combine, split
from headrace.documents.osl.sloks import Slok

__all__ = ["MAX_LEVELS", "KeyShares", "Known", "divide"]

#: Most levels of a tree, the leaves included.
MAX_LEVELS: Final = 16

#: Returns the key of the SLOK with this ID, None for one that was never earned.
Known = Callable[[bytes], bytes | None]


class KeyShares(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A node, with everything below it. Raises ValueError when made in a shape that no paver makes."""

    threshold: int
    boxed_shares: list[bytes] | None = None
    slok_ids: list[bytes] | None = msgspec.field(default=None, name="SLOKIDs")  # of a leaf
    key_shares: "list[KeyShares] | None" = None  # of an inner node

    def __post_init__(self) -> None:
        if self.slok_ids and self.key_shares:
            raise ValueError("a key is split both among SLOKs and among other keys")
        boxes, holders = len(self.boxed_shares or ()), len(self.slok_ids or self.key_shares or ())
        if boxes != holders:
            raise ValueError(f"{boxes} shares for {holders} holders")
        if self.threshold < 1 or boxes > MAX_SHARES:
            raise ValueError(f"threshold {self.threshold} of {boxes} shares")

    def satisfied(self, known: Known) -> bool:
        """Whether the key can be had with the SLOKs that are `known`. Nothing is decrypted."""
        missing = self.threshold
        for slok_id in self.slok_ids or ():
            missing -= known(slok_id) is not None
            if not missing:
                return True
        for child in self.key_shares or ():
            missing -= child.satisfied(known)
            if not missing:
                return True
        return False

    def reassemble(self, known: Known) -> bytes | None:
        """Return the key, None if there are not SLOKs enough.

        Raises DocumentError when the tree does not hold what it promises.
        """
        shares: dict[int, bytes] = {}
        for number, box in enumerate(self.boxed_shares or (), start=1):
            key = self._holder(number - 1, known)
            if key is not None:
                shares[number] = open_box(key, box)
            if len(shares) == self.threshold:
                return self._combine(shares)
        return None

    def _holder(self, index: int, known: Known) -> bytes | None:
        """Return the key of one box, if it can be had."""
        if self.slok_ids:
            return known(self.slok_ids[index])
        assert self.key_shares
        return self.key_shares[index].reassemble(known)

    def _combine(self, shares: dict[int, bytes]) -> bytes:
        if any(len(share) != KEY_SIZE for share in shares.values()):
            raise DocumentError("a key's share is not of a key's size")
        # With a threshold of 1 a share is the secret; interpolating through one point says the same.
        return combine(shares)


def divide(
    key: bytes,
    levels: Sequence[tuple[int, int]],
    periods: Iterator[Sequence[Slok]],
    leaf_threshold: int,
    stream: KeyStream,
) -> KeyShares:
    """Split a key and what it is split into, down to the SLOKs.

    `levels` holds total and threshold of each split, the lowest first. `periods` yields the SLOKs of one
    period after the other. The order in which `stream` is consumed is part of the format.
    """
    if not levels:
        sloks = next(periods)
        shares = split(key, len(sloks), leaf_threshold, stream.read)
        return KeyShares(
            threshold=leaf_threshold,
            boxed_shares=[seal_box(slok.key, share) for slok, share in zip(sloks, shares, strict=True)],
            slok_ids=[slok.id for slok in sloks],
        )
    *lower, (total, threshold) = levels
    boxes, children = [], []
    for share in split(key, total, threshold, stream.read):
        share_key = stream.read(KEY_SIZE)
        children.append(divide(share_key, lower, periods, leaf_threshold, stream))
        boxes.append(seal_box(share_key, share))
    return KeyShares(threshold=threshold, boxed_shares=boxes, key_shares=children)
