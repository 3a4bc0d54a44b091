"""The two MODP groups of RFC 3526 that SSH still uses; the generator of both is 2.

They are computed as the RFC defines them, 2^n - 2^(n-64) - 1 + 2^64 * (floor(2^(n-130) * pi) + c): two
constants to proof-read instead of two primes. It takes a few milliseconds, once, where a peer wants it.
"""

from functools import cache

__all__ = ["modp_prime"]

#: Bits of the prime and the constant c (RFC 3526 §3 and §5).
_GROUPS = {14: (2048, 124476), 16: (4096, 240904)}


@cache
def modp_prime(group: int) -> int:
    """Return the prime of group 14 or 16."""
    bits, constant = _GROUPS[group]
    return int(2**bits - 2 ** (bits - 64) - 1 + 2**64 * (_scaled_pi(bits - 130) + constant))


def _scaled_pi(bits: int) -> int:
    """Return floor(2^bits * pi) by Machin's formula, 16 arctan(1/5) - 4 arctan(1/239)."""
    guard = 64  # far more than the rounding of a few thousand terms can eat
    one = 1 << (bits + guard)

    def arctan_of_inverse(x: int) -> int:
        power = total = one // x
        divisor, sign = 3, -1
        while power:
            power //= x * x
            total += sign * (power // divisor)
            divisor, sign = divisor + 2, -sign
        return total

    return (16 * arctan_of_inverse(5) - 4 * arctan_of_inverse(239)) >> guard
