"""Secret sharing over GF(2^8). What the network's own shares look like is in tests/vectors/test_osl.py."""

import itertools
from collections.abc import Callable

import pytest

from headrace.crypto.shamir import MAX_SHARES, combine, split

SECRET = bytes(range(32))


def stream(data: bytes) -> Callable[[int], bytes]:
    """Return a reader of `data`, after which zeros would be an error."""
    left = bytearray(data)

    def draw(count: int) -> bytes:
        assert len(left) >= count
        taken = bytes(left[:count])
        del left[:count]
        return taken

    draw.left = left  # type: ignore[attr-defined]
    return draw


def multiply(a: int, b: int) -> int:
    """Multiply in GF(2^8) as schoolbooks do."""
    product = 0
    for bit in range(8):
        if b >> bit & 1:
            product ^= a << bit
    for bit in range(15, 7, -1):
        if product >> bit & 1:
            product ^= 0x11B << (bit - 8)
    return product


def evaluate(coefficients: list[int], x: int) -> int:
    """Return the value of a polynomial, the constant term first."""
    value = 0
    for coefficient in reversed(coefficients):
        value = multiply(value, x) ^ coefficient
    return value


def test_shares_are_values_of_polynomials() -> None:
    # Two bytes, threshold 3: for each a middle coefficient, then the highest one, which skips zeros.
    shares = split(b"\xab\x00", 5, 3, stream(bytes([0, 0, 0, 7, 200, 9])))
    assert shares == [bytes([evaluate([0xAB, 0, 7], x), evaluate([0, 200, 9], x)]) for x in range(1, 6)]


@pytest.mark.parametrize(
    ("material", "used"),
    [
        (bytes([1, 2, 3, 4]), 2),
        (bytes([0, 1, 2, 3]), 3),
        (bytes([0, 0, 0, 1, 0, 2, 3]), 6),
        (bytes([1, 0, 0, 2, 3]), 4),
    ],
)
def test_zeros_are_read_and_thrown_away(material: bytes, used: int) -> None:
    draw = stream(material)
    split(b"ab", 3, 2, draw)
    assert len(material) - len(draw.left) == used  # type: ignore[attr-defined]


@pytest.mark.parametrize(("total", "threshold"), [(1, 1), (2, 2), (3, 2), (5, 3), (5, 5)])
def test_any_of_enough_shares_give_the_secret(total: int, threshold: int) -> None:
    shares = split(SECRET, total, threshold, stream(bytes(range(1, 256)) * 4))
    for chosen in itertools.combinations(range(total), threshold):
        assert combine({index + 1: shares[index] for index in chosen}) == SECRET


@pytest.mark.parametrize(("total", "threshold"), [(254, 2), (254, 254), (254, 100)])
def test_the_largest_splits(total: int, threshold: int) -> None:
    shares = split(SECRET, total, threshold, stream(bytes(range(1, 256)) * 40))
    assert len(shares) == total == MAX_SHARES
    assert combine({number: shares[number - 1] for number in range(total, total - threshold, -1)}) == SECRET


def test_too_few_shares_give_something_else() -> None:
    shares = split(SECRET, 3, 3, stream(bytes(range(1, 256))))
    assert combine({1: shares[0], 2: shares[1]}) != SECRET


def test_with_a_threshold_of_one_nothing_is_drawn() -> None:
    assert split(SECRET, 3, 1, stream(b"")) == [SECRET] * 3


@pytest.mark.parametrize(("total", "threshold"), [(0, 0), (1, 0), (1, 2), (255, 2), (-1, -1)])
def test_splits_that_cannot_be(total: int, threshold: int) -> None:
    with pytest.raises(ValueError, match="cannot be split"):
        split(SECRET, total, threshold, stream(b""))


@pytest.mark.parametrize("shares", [{1: b"ab", 2: b"a"}, {0: b"ab"}, {256: b"ab"}])
def test_shares_that_cannot_be(shares: dict[int, bytes]) -> None:
    with pytest.raises(ValueError, match="shares of different lengths"):
        combine(shares)
