"""What censors do to connections: cut, stall, reset, slow down, refuse, and end what has lasted too long.

Rule(RESET, down=4096)            after so many bytes, exactly
Rule(rate=20_000)                 bytes a second, each way
Block(REFUSED), Block(DROPPED)    no connection at all
Lag(0.3)                          everything is late
Swallow(Way.DOWN, after=1000)     one direction goes quiet, the other goes on
Corrupt(Way.DOWN, at=[70])        a bit is flipped there, or anywhere with some probability
Inject(b"...", after=16)          forged bytes
TimeLimit(60.0), Raid(at=300.0)   connections end when they are old, or all at one moment
FirstBytes(looks_so, STALL)       for what it begins with
"""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Final

from headrace.testing.censorship import (
    DROPPED,
    RESET,
    STALL,
    Connection,
    Ending,
    Measure,
    Opening,
    Verdict,
    Watch,
    Way,
)

__all__ = [
    "PASS",
    "REFUSE",
    "Block",
    "FirstBytes",
    "Lag",
    "Raid",
    "Rule",
    "TimeLimit",
]

#: Pieces a second, so that a throttled connection flows rather than jumps.
_PIECES: Final = 20
#: Bytes of payload in a usual first packet.
_PACKET: Final = 1460


@dataclass(frozen=True, slots=True)
class Rule(Measure):
    """Cuts at a byte, slows down.

    The `ending` comes when `down` bytes have gone to the client or `up` bytes to the target, whichever is
    first; with 0 at once, and the target is not dialled. Without a number it never comes.
    """

    ending: Ending = RESET
    _: KW_ONLY
    down: int | None = None
    up: int | None = None
    rate: float | None = None  #: bytes a second, each way
    delay: float = 0.0  #: seconds before the target is dialled

    def watch(self, connection: Connection) -> Watch:
        return _Ruled(self)


class _Ruled(Watch):
    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._left = {Way.DOWN: rule.down, Way.UP: rule.up}
        if rule.rate is not None:
            self.piece = max(1, int(rule.rate / _PIECES))

    def opening(self, now: float) -> Opening:
        rule = self._rule
        return Opening(rule.delay, rule.ending if 0 in (rule.down, rule.up) else None)

    def sees(self, way: Way, data: bytes, now: float) -> Verdict:
        left = self._left[way]
        if left is None:
            return Verdict(data)
        data = data[:left]
        self._left[way] = left - len(data)
        return Verdict(data, None if self._left[way] else self._rule.ending)

    def pause(self, way: Way, size: int) -> float:
        return 0.0 if self._rule.rate is None else size / self._rule.rate


PASS: Final = Rule()
#: The connection is made and reset at once.
REFUSE: Final = Rule(RESET, down=0)


@dataclass(frozen=True, slots=True)
class Block(Measure):
    """No connection is made: it is REFUSED, or its packets are DROPPED."""

    how: Opening = DROPPED

    def watch(self, connection: Connection) -> Watch:
        return _Blocked(self.how)


class _Blocked(Watch):
    def __init__(self, how: Opening) -> None:
        self._how = how

    def opening(self, now: float) -> Opening:
        return self._how


@dataclass(frozen=True, slots=True)
class Lag(Measure):
    """Everything is so many seconds late, each way; as much passes as before."""

    seconds: float

    def watch(self, connection: Connection) -> Watch:
        late = Watch()
        late.lag = self.seconds
        return late


@dataclass(frozen=True, slots=True)
class TimeLimit(Measure):
    """A connection ends when it is so many seconds old."""

    seconds: float
    ending: Ending = RESET

    def watch(self, connection: Connection) -> Watch:
        return _Timed(connection.time + self.seconds, self.ending)


@dataclass(frozen=True, slots=True)
class Raid(Measure):
    """Whatever is connected at this moment ends; what comes later is left alone."""

    at: float
    ending: Ending = RESET

    def watch(self, connection: Connection) -> Watch:
        return _Timed(self.at, self.ending) if connection.time < self.at else Watch()


class _Timed(Watch):
    def __init__(self, time: float, ending: Ending) -> None:
        self._time = time
        self._ending = ending

    @property
    def wake(self) -> float | None:
        return self._time

    def tick(self, now: float) -> Ending | None:
        return self._ending if now >= self._time else None


@dataclass(frozen=True, slots=True)
class FirstBytes(Measure):
    """Strikes at connections whose first bytes from the client, or the target, are `wanted`.

    They are what came first at a time, no more than a packet's; with `enough`, that many are waited for. They
    have passed when the censor strikes, as with one who reads along, unless they are to be `held`.
    """

    wanted: Callable[[bytes], bool]
    ending: Ending = STALL
    _: KW_ONLY
    way: Way = Way.UP
    enough: int = 1
    held: bool = False

    def watch(self, connection: Connection) -> Watch:
        return _Reading(self)


class _Reading(Watch):
    def __init__(self, measure: FirstBytes) -> None:
        self._measure = measure
        self._seen = b""
        self._decided = False

    def sees(self, way: Way, data: bytes, now: float) -> Verdict:
        measure = self._measure
        if way is not measure.way or self._decided:
            return Verdict(data)
        self._seen += data
        if len(self._seen) < measure.enough:
            return Verdict(b"" if measure.held else data)
        self._decided = True
        if measure.wanted(self._seen[: max(_PACKET, measure.enough)]):
            return Verdict(b"" if measure.held else data, measure.ending)
        return Verdict(self._seen if measure.held else data)
