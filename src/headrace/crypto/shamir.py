"""Shamir's secret sharing over GF(2^8), byte by byte as the network does it (server lists spec §4.4).

Every byte of the secret is the constant term of a polynomial of its own; share x holds the values of all of
them at x = 1, 2, 3, … Shares carry no number: their place in the list is it. The field's polynomial is 0x11B,
its generator 3. With a threshold of 1 every share is the secret itself.

Nothing here loops over bytes: multiplying a whole share by a constant is one `bytes.translate`, adding shares
is one exclusive-or of integers.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Final

__all__ = ["MAX_SHARES", "combine", "split"]

#: Most shares that a secret can be split into.
MAX_SHARES: Final = 254

_ORDER: Final = 255  # of the multiplicative group
_POLYNOMIAL: Final = 0x11B


def split(secret: bytes, total: int, threshold: int, draw: Callable[[int], bytes]) -> list[bytes]:
    """Return `total` shares, any `threshold` of which give the secret back.

    `draw(n)` returns the next n bytes of the stream that the coefficients are taken from. Needs
    1 <= threshold <= total <= 254.
    """
    if not 1 <= threshold <= total <= MAX_SHARES:
        raise ValueError(f"a secret cannot be split into {total} shares of which {threshold} are needed")
    if threshold == 1:
        return [secret] * total
    # The constant term comes last here: the highest coefficient first is the order of Horner's rule.
    highest, *others = _coefficients(len(secret), threshold - 1, draw)
    numbers = [int.from_bytes(each, "big") for each in others] + [int.from_bytes(secret, "big")]
    size = len(secret)
    shares = []
    for x in range(1, total + 1):
        table, value = _times(x), highest
        for number in numbers:
            value = (int.from_bytes(value.translate(table), "big") ^ number).to_bytes(size, "big")
        shares.append(value)
    return shares


def combine(shares: Mapping[int, bytes]) -> bytes:
    """Return the secret behind `shares`: number, from 1, to share. They must be one or more, of one length.

    Exactly the threshold's number must be given: more or fewer give something else.
    """
    size = len(next(iter(shares.values())))
    if any(len(share) != size for share in shares.values()) or not all(0 < x <= _ORDER for x in shares):
        raise ValueError("shares of different lengths, or numbered beyond 255")
    # Lagrange's interpolation at 0: the weight of share x is the product of all y / (y - x), y ≠ x.
    # The product of all y over x is as good as that of the others, and logarithms add.
    everything = sum(_LOG[y] for y in shares)
    secret = 0
    for x, share in shares.items():
        divisor = sum([_LOG[y ^ x] for y in shares if y != x])
        weight = _EXP[(everything - _LOG[x] - divisor) % _ORDER]
        secret ^= int.from_bytes(share.translate(_times(weight)), "big")
    return secret.to_bytes(size, "big")


def _coefficients(size: int, degree: int, draw: Callable[[int], bytes]) -> list[bytes]:
    """Return the coefficients of `size` polynomials, those of the highest degree first.

    The stream holds the lowest degree of the first polynomial, then the next, then those of the second one.
    A highest coefficient must not be zero: a zero there is skipped, and all that follows moves up.
    """
    block = draw(size * degree)
    searched = 0
    while True:
        zero = block[degree - 1 :: degree].find(0, searched)
        if zero < 0:
            return [block[term::degree] for term in range(degree - 1, -1, -1)]
        place = zero * degree + degree - 1
        block = block[:place] + block[place + 1 :] + draw(1)
        searched = zero


@functools.cache
def _times(factor: int) -> bytes:
    """Return the table for `translate` that multiplies by a number from 1 to 255."""
    log = _LOG[factor]
    return bytes([0, *(_EXP[(log + _LOG[number]) % _ORDER] for number in range(1, 256))])


def _powers() -> list[int]:
    """Return the powers of the generator, 3."""
    powers, value = [], 1
    for _ in range(_ORDER):
        powers.append(value)
        value ^= value << 1
        if value > 0xFF:
            value ^= _POLYNOMIAL
    return powers


_EXP: Final = _powers()
_LOG: Final = [0, *(_EXP.index(number) for number in range(1, 256))]
