"""What a censor may do to TCP connections, as rules without sockets: bytes and time in, verdicts out.

    Measure     what is done, to whom, when: made by a test, kept by the censor, may remember
    Watch       what one measure does about one connection
    Verdict     what becomes of a piece of it

`measures` has the usual ones, `conditions` says when and to whom they apply. Measures add up: with `a & b`
both are in force, and `b` sees what `a` has left. `inspection` applies them to a connection; `censor` and
`memory_network` do what comes out, on sockets and in memory.

Time is in seconds since the censor began. Chances come from seeds, and from a connection's host and number:
a script does the same whenever it runs, however connections overlap.
"""

import enum
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = [
    "CLOSE",
    "DROPPED",
    "OPEN",
    "REFUSED",
    "RESET",
    "RESET_CLIENT",
    "RESET_TARGET",
    "STALL",
    "Connection",
    "Ending",
    "Measure",
    "Opening",
    "Probe",
    "Probed",
    "Together",
    "Verdict",
    "Watch",
    "Way",
]


class Way(enum.Enum):
    """A direction."""

    UP = enum.auto()  #: from the client
    DOWN = enum.auto()  #: to the client

    @property
    def back(self) -> "Way":
        return Way.DOWN if self is Way.UP else Way.UP


class Ending(enum.Enum):
    """How a measure strikes, at both ends of the connection unless said."""

    RESET = enum.auto()  #: RST
    CLOSE = enum.auto()  #: the client gets FIN, as if that had been all; the target RST
    STALL = enum.auto()  #: nothing: the connection stays open, and whatever is sent is swallowed
    RESET_CLIENT = enum.auto()  #: a forged RST that only the client gets; what the target says is swallowed
    RESET_TARGET = enum.auto()  #: the same the other way round


RESET: Final = Ending.RESET
CLOSE: Final = Ending.CLOSE
STALL: Final = Ending.STALL
RESET_CLIENT: Final = Ending.RESET_CLIENT
RESET_TARGET: Final = Ending.RESET_TARGET


@dataclass(frozen=True, slots=True)
class Connection:
    """Somebody connects."""

    number: int  #: counted from 0
    host: str  #: where to, as the client dials it
    port: int
    time: float

    @property
    def seed(self) -> str:
        """What chances about it are drawn from. Ports are left out: on loopback each run has its own."""
        return f"{self.host} {self.number}"


@dataclass(frozen=True, slots=True)
class Opening:
    """What becomes of the wish to connect."""

    delay: float = 0.0  #: seconds before anything happens
    ending: Ending | None = None  #: then this, and the target is not dialled
    #: Whether the connection is made at all. A relay on sockets cannot prevent that: there, what is refused
    #: is reset at once, and what is dropped hears nothing.
    made: bool = True


OPEN: Final = Opening()
REFUSED: Final = Opening(ending=RESET, made=False)
DROPPED: Final = Opening(ending=STALL, made=False)


@dataclass(frozen=True, slots=True)
class Probed:
    """What came of a probe: how the target answered a stranger."""

    connected: bool
    answer: bytes = b""
    ending: str = ""  #: "closed" or "reset" by the target, "" if it was silent until patience ended
    seconds: float = 0.0  #: until the first byte of the answer, or without one until the end


@dataclass(frozen=True, slots=True)
class Probe:
    """The censor is to connect to the target by itself, say this, and tell the measure what came of it."""

    measure: "Measure"
    connection: Connection  #: the one that raised suspicion
    payload: bytes
    delay: float = 0.0  #: seconds until then
    patience: float = 10.0  #: seconds to wait for an answer

    def answered(self, result: Probed, now: float) -> None:
        """Tell the measure."""
        self.measure.probed(self, result, now)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a piece of a connection."""

    data: bytes  #: what goes on of it
    ending: Ending | None = None  #: what comes then
    forged: bytes = b""  #: what is sent the other way, in the name of whom the piece was for
    probes: Sequence[Probe] = ()


class Watch:
    """What a measure does about one connection. This one lets everything pass."""

    #: The most bytes to be shown at once.
    piece: int = 1 << 20
    #: Seconds by which everything is late, both ways.
    lag: float = 0.0

    @property
    def wake(self) -> float | None:
        """When to call `tick`."""
        return None

    def opening(self, now: float) -> Opening:
        """Judge the connection before it is made."""
        return OPEN

    def sees(self, way: Way, data: bytes, now: float) -> Verdict:
        """Judge a piece, which is not empty. After a verdict with an ending nothing more is shown."""
        return Verdict(data)

    def pause(self, way: Way, size: int) -> float:
        """Return how many seconds must pass after so many bytes until more may follow."""
        return 0.0

    def tick(self, now: float) -> Ending | None:
        """Say whether the time has come."""
        return None


class Measure(ABC):
    """Something a censor does."""

    @abstractmethod
    def watch(self, connection: Connection) -> Watch:
        """Return what is done about this connection."""

    def probed(self, probe: Probe, result: Probed, now: float) -> None:  # noqa: B027 - few ask for any
        """Hear what came of a probe that was asked for."""

    def __and__(self, other: "Measure") -> "Together":
        return Together(self, other)


class Together(Measure):
    """Several measures, in this order: each one sees what those before it have left."""

    def __init__(self, *measures: Measure) -> None:
        self.measures = measures

    def watch(self, connection: Connection) -> Watch:
        return _Together([measure.watch(connection) for measure in self.measures])


class _Together(Watch):
    def __init__(self, watches: Sequence[Watch]) -> None:
        self._watches = watches
        self.piece = min((watch.piece for watch in watches), default=Watch.piece)
        self.lag = sum(watch.lag for watch in watches)

    @property
    def wake(self) -> float | None:
        return min((wake for watch in self._watches if (wake := watch.wake) is not None), default=None)

    def opening(self, now: float) -> Opening:
        delay = 0.0
        for watch in self._watches:
            opening = watch.opening(now)
            delay += opening.delay
            if opening.ending is not None:
                return Opening(delay, opening.ending, opening.made)
        return Opening(delay)

    def sees(self, way: Way, data: bytes, now: float) -> Verdict:
        ending: Ending | None = None
        forged = b""
        probes: list[Probe] = []
        for watch in self._watches:
            if not data:
                break  # nothing is left to see
            verdict = watch.sees(way, data, now)
            # Of two that strike, the one that lets fewer bytes pass is the first to.
            if verdict.ending is not None and (ending is None or len(verdict.data) < len(data)):
                ending = verdict.ending
            data = verdict.data
            forged += verdict.forged
            probes += verdict.probes
        return Verdict(data, ending, forged, probes)

    def pause(self, way: Way, size: int) -> float:
        return max((watch.pause(way, size) for watch in self._watches), default=0.0)

    def tick(self, now: float) -> Ending | None:
        for watch in self._watches:
            if (ending := watch.tick(now)) is not None:
                return ending
        return None
