"""Trees of shares: which keys open them, and what becomes of crooked ones."""

import itertools
from collections.abc import Iterator

import pytest

from headrace.base.errors import DocumentError
from headrace.crypto.key_stream import KeyStream
from headrace.crypto.secret_box import seal_box
from headrace.documents.osl.key_shares import KeyShares, divide
from headrace.documents.osl.sloks import Slok

KEY = bytes(range(100, 132))
SPECS = 3


def slok(period: int, spec: int) -> Slok:
    return Slok(bytes([1, period, spec]).ljust(32, b"i"), bytes([2, period, spec]).ljust(32, b"k"))


def periods() -> Iterator[list[Slok]]:
    for period in itertools.count():
        yield [slok(period, spec) for spec in range(SPECS)]


def tree(*levels: tuple[int, int], threshold: int = 2) -> KeyShares:
    """Return the tree of KEY, and of `levels`, the lowest first."""
    return divide(KEY, levels, periods(), threshold, KeyStream(bytes(32)))


class Wallet:
    """Known keys, and how often one was asked for."""

    def __init__(self, *owned: tuple[int, int]) -> None:
        self._keys = dict(slok(period, spec) for period, spec in owned)
        self.asked = 0

    def __call__(self, slok_id: bytes) -> bytes | None:
        self.asked += 1
        return self._keys.get(slok_id)


def every(period: int) -> list[tuple[int, int]]:
    return [(period, spec) for spec in range(SPECS)]


@pytest.mark.parametrize(
    ("owned", "opens"),
    [
        ([], False),
        ([(0, 0), (0, 1)], False),
        ([(0, 0), (0, 1), (1, 0)], False),
        ([(0, 0), (1, 1), (2, 2)], False),
        ([(0, 0), (0, 1), (1, 0), (1, 2)], True),
        ([(1, 1), (1, 2), (2, 0), (2, 2)], True),
        ([*every(0), *every(1), *every(2)], True),
        ([*every(2), *every(3)], False),  # another list's
    ],
)
def test_two_of_three_periods_each_with_two_of_three_specs(owned: list[tuple[int, int]], opens: bool) -> None:
    shares = tree((3, 2))
    assert shares.satisfied(Wallet(*owned)) is opens
    assert shares.reassemble(Wallet(*owned)) == (KEY if opens else None)


def test_levels_nest() -> None:
    """Two of two days, each with three of four periods."""
    shares = tree((4, 3), (2, 2), threshold=1)
    days = [[(period, 0) for period in (0, 1, 3)], [(period, 2) for period in (5, 6, 7)]]
    assert shares.reassemble(Wallet(*days[0], *days[1])) == KEY
    assert shares.reassemble(Wallet(*days[0], *days[1][1:])) is None
    assert not shares.satisfied(Wallet(*days[0]))


def test_thresholds_of_one() -> None:
    shares = tree((1, 1), (3, 1), threshold=1)
    assert shares.reassemble(Wallet((2, 1))) == KEY


def test_scanning_stops_when_there_is_enough() -> None:
    shares = tree((100, 1), threshold=1)
    wallet = Wallet((0, 0))
    assert shares.satisfied(wallet)
    assert shares.reassemble(wallet) == KEY
    assert wallet.asked == 2


def test_each_node_is_visited_once_at_most() -> None:
    shares = tree((5, 5), (5, 5), (5, 5), threshold=3)
    wallet = Wallet(*(key for period in range(124) for key in every(period)))  # all but the last
    assert not shares.satisfied(wallet)
    assert wallet.asked <= 125 * SPECS
    assert shares.reassemble(wallet) is None
    assert wallet.asked <= 2 * 125 * SPECS


def test_a_tree_with_nobody_in_it_opens_to_nobody() -> None:
    shares = KeyShares(threshold=1)
    assert not shares.satisfied(Wallet(*every(0)))
    assert shares.reassemble(Wallet(*every(0))) is None


def test_more_shares_needed_than_there_are() -> None:
    boxes = [seal_box(slok(0, 0).key, KEY)]
    shares = KeyShares(threshold=2, boxed_shares=boxes, slok_ids=[slok(0, 0).id])
    assert not shares.satisfied(Wallet((0, 0)))
    assert shares.reassemble(Wallet((0, 0))) is None


@pytest.mark.parametrize(
    "share",
    [KEY[:31], KEY + b"x", b""],
)
def test_a_share_of_another_size(share: bytes) -> None:
    shares = KeyShares(threshold=1, boxed_shares=[seal_box(slok(0, 0).key, share)], slok_ids=[slok(0, 0).id])
    with pytest.raises(DocumentError, match="not of a key's size"):
        shares.reassemble(Wallet((0, 0)))


@pytest.mark.parametrize("box", [b"", bytes(15), bytes(48), seal_box(slok(0, 1).key, KEY)])
def test_a_box_that_is_not_this_keys(box: bytes) -> None:
    shares = KeyShares(threshold=1, boxed_shares=[box], slok_ids=[slok(0, 0).id])
    with pytest.raises(DocumentError, match=r"a box sealed|impossible size"):
        shares.reassemble(Wallet((0, 0)))


def test_a_known_key_that_is_none() -> None:
    shares = tree((1, 1), threshold=1)
    with pytest.raises(DocumentError, match="impossible size"):
        shares.reassemble(lambda slok_id: b"short")


def test_a_slok_that_is_listed_twice() -> None:
    """It satisfies twice, as everywhere in the network; what it opens is not the key."""
    box = seal_box(slok(0, 0).key, KEY)
    shares = KeyShares(threshold=2, boxed_shares=[box, box], slok_ids=[slok(0, 0).id] * 2)
    assert shares.satisfied(Wallet((0, 0)))
    assert shares.reassemble(Wallet((0, 0))) == KEY


LEAF = KeyShares(threshold=1, boxed_shares=[b"box"], slok_ids=[b"id"])


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"slok_ids": [b"id"], "key_shares": [LEAF]}, "both among SLOKs and among other keys"),
        ({"slok_ids": [b"id", b"id"]}, "1 shares for 2 holders"),
        ({"slok_ids": []}, "1 shares for 0 holders"),
        ({"boxed_shares": None, "slok_ids": [b"id"]}, "0 shares for 1 holders"),
        ({"key_shares": [LEAF, LEAF]}, "1 shares for 2 holders"),
        ({"threshold": 0, "slok_ids": [b"id"]}, "threshold 0 of 1 shares"),
        ({"threshold": -1, "slok_ids": [b"id"]}, "threshold -1 of 1 shares"),
        ({"boxed_shares": [b"box"] * 255, "slok_ids": [b"id"] * 255}, "threshold 1 of 255 shares"),
    ],
)
def test_shapes_that_no_paver_makes(members: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        KeyShares(**{"threshold": 1, "boxed_shares": [b"box"], **members})  # type: ignore[arg-type]
