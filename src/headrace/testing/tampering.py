"""What censors do to the bytes that pass: swallow, corrupt, forge.

Swallow(Way.DOWN, after=1000)     one direction goes quiet, the other goes on
Corrupt(Way.DOWN, at=[70])        a bit is flipped there, or anywhere with some probability
Inject(b"...", after=16)          forged bytes
"""

import math
from collections.abc import Collection
from dataclasses import dataclass

from headrace.base.rng import SeededRng
from headrace.testing.censorship import Connection, Measure, Verdict, Watch, Way

__all__ = ["Corrupt", "Inject", "Swallow"]


@dataclass(frozen=True, slots=True)
class Swallow(Measure):
    """Nothing more passes in one direction `after` so many bytes; the other does not notice."""

    way: Way
    after: int = 0

    def watch(self, connection: Connection) -> Watch:
        return _Swallowing(self)


class _Swallowing(Watch):
    def __init__(self, measure: Swallow) -> None:
        self._way, self._left = measure.way, measure.after

    def sees(self, way: Way, data: bytes, now: float) -> Verdict:
        if way is not self._way:
            return Verdict(data)
        data = data[: self._left]
        self._left -= len(data)
        return Verdict(data)


@dataclass(frozen=True, slots=True)
class Corrupt(Measure):
    """Flips a bit of the bytes `at` these offsets, and of each byte with a probability."""

    way: Way
    at: Collection[int] = ()
    probability: float = 0.0
    seed: int = 0

    def watch(self, connection: Connection) -> Watch:
        return _Corrupting(self, connection)


class _Corrupting(Watch):
    """Draws places and bits apart, each in the order of the bytes: pieces make no difference."""

    def __init__(self, measure: Corrupt, connection: Connection) -> None:
        self._measure = measure
        self._seed = f"corrupt {measure.seed} {connection.seed}"
        self._rng = SeededRng(self._seed)
        self._bits = SeededRng(f"{self._seed} bits")
        self._offset = 0
        self._hit = self._draw(0)

    def sees(self, way: Way, data: bytes, now: float) -> Verdict:
        if way is not self._measure.way:
            return Verdict(data)
        begin, end = self._offset, self._offset + len(data)
        self._offset = end
        changed = bytearray(data)
        while self._hit < end:
            hit = int(self._hit)
            self._hit = self._draw(hit + 1)
            bit = self._bits.between(0, 7)
            if hit not in self._measure.at:
                changed[hit - begin] ^= 1 << bit
        for offset in self._measure.at:
            if begin <= offset < end:
                changed[offset - begin] ^= 1 << SeededRng(f"{self._seed} {offset}").between(0, 7)
        return Verdict(bytes(changed))

    def _draw(self, start: int) -> float:
        """Return the next offset to be hit from `start` on: the gaps have a geometric distribution."""
        probability = self._measure.probability
        if probability <= 0:
            return math.inf
        if probability >= 1:
            return start
        return start + int(math.log(1 - self._rng.uniform()) / math.log(1 - probability))


@dataclass(frozen=True, slots=True)
class Inject(Measure):
    """Sends forged bytes `to` one end as soon as `after` bytes of the direction `seen` have passed.

    With 0 that is before the first of them. Where both are one direction, they come at just that place.
    """

    data: bytes
    to: Way = Way.DOWN
    seen: Way = Way.UP
    after: int = 0

    def watch(self, connection: Connection) -> Watch:
        return _Injecting(self)


class _Injecting(Watch):
    def __init__(self, measure: Inject) -> None:
        self._measure = measure
        self._left = measure.after
        self._done = False

    def sees(self, way: Way, data: bytes, now: float) -> Verdict:
        measure = self._measure
        if way is not measure.seen or self._done:
            return Verdict(data)
        place = self._left
        self._left -= len(data)
        if place > len(data):
            return Verdict(data)
        self._done = True
        if measure.to is way:
            return Verdict(data[:place] + measure.data + data[place:])
        return Verdict(data, forged=measure.data)
