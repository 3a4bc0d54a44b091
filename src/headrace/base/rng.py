"""Randomness as an argument: secure in production, seeded where a run must be repeatable.

Long-term and ephemeral *keys* are not drawn here: the cryptography library generates those itself.
"""

import os
import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final, TypeVar

__all__ = ["SYSTEM_RNG", "Rng", "SeededRng", "SystemRng"]

T = TypeVar("T")

#: As many numbers between 0 and 1 as a float can tell apart evenly.
_STEPS: Final = 2**53


class Rng(ABC):
    """A source of random choices."""

    @abstractmethod
    def bytes(self, count: int) -> bytes:
        """Return `count` random bytes."""

    @abstractmethod
    def between(self, low: int, high: int) -> int:
        """Return a uniform integer with low <= n <= high."""

    @abstractmethod
    def chance(self, probability: float) -> bool:
        """Return True with the given probability; 0 is never, 1 is always."""

    def uniform(self) -> float:
        """Return a uniform number, 0 <= x < 1."""
        return self.between(0, _STEPS - 1) / _STEPS

    def choice(self, options: Sequence[T]) -> T:
        """Return one of `options`, which must not be empty."""
        return options[self.between(0, len(options) - 1)]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """Return the items in random order, leaving the argument alone."""
        result = list(items)
        for last in range(len(result) - 1, 0, -1):
            other = self.between(0, last)
            result[last], result[other] = result[other], result[last]
        return result


class _Backed(Rng):
    def __init__(self, source: random.Random) -> None:
        self._source = source

    def bytes(self, count: int) -> bytes:
        return self._source.randbytes(count)

    def between(self, low: int, high: int) -> int:
        return self._source.randint(low, high)

    def chance(self, probability: float) -> bool:
        return self._source.random() < probability


class SystemRng(_Backed):
    """The operating system's secure generator."""

    def __init__(self) -> None:
        super().__init__(random.SystemRandom())

    def bytes(self, count: int) -> bytes:
        return os.urandom(count)


class SeededRng(_Backed):
    """A repeatable generator, for replayed choices and for tests; never for secrets."""

    def __init__(self, seed: int | str | bytes) -> None:
        super().__init__(random.Random(seed))


SYSTEM_RNG = SystemRng()
