"""One connection in the censor's hands, and whose turn it is: pure, driven with bytes and the time.

inspection = Script(rules).open(host, port, now)
inspection.receive(Way.UP, data)               what came from the client
for action in inspection.advance(now): ...     what is to be done now
inspection.wake                                when to call `advance` next, if nothing comes before
"""

import heapq
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from headrace.testing.censorship import Connection, Ending, Measure, Probe, Watch, Way
from headrace.testing.measures import PASS

__all__ = ["KEPT", "Action", "Finish", "Flow", "Inspection", "Rules", "Script", "Send", "Strike"]

#: First bytes of each direction that are kept to look at.
KEPT: Final = 64
#: Bytes of one direction that may wait for their turn, and that may be on a line with a lag.
_WAITING, _LATE = 1 << 18, 1 << 23


@dataclass(slots=True)
class Flow:
    """One direction of a connection."""

    passed: int = 0  #: bytes handed on
    first: bytearray = field(default_factory=bytearray)  #: what came first, handed on or not: `KEPT` bytes


@dataclass(frozen=True, slots=True)
class Send:
    """Bytes go on, or are forged."""

    way: Way
    data: bytes
    forged: bool = False


@dataclass(frozen=True, slots=True)
class Finish:
    """A direction has ended in order."""

    way: Way


@dataclass(frozen=True, slots=True)
class Strike:
    """The connection ends; first what was sent `after` in this direction is to be on its way."""

    ending: Ending
    after: Way | None = None


Action = Send | Finish | Strike | Probe


class Inspection:
    """A connection under a watch."""

    def __init__(self, connection: Connection, watch: Watch) -> None:
        self.connection = connection
        self.flows = {way: Flow() for way in Way}
        self.opening = watch.opening(connection.time)
        self.struck = self.opening.ending is not None
        self._watch = watch
        self._waiting = {way: bytearray() for way in Way}  # for its turn
        self._ended: set[Way] = set()  # directions that end when nothing waits any more
        self._free = dict.fromkeys(Way, 0.0)  # when the next piece may be judged
        self._late: list[tuple[float, int, Action]] = []  # judged, in the order and at the times they are due
        self._on_line = dict.fromkeys(Way, 0)  # bytes of those
        self._order = itertools.count()

    def receive(self, way: Way, data: bytes) -> None:
        """Take bytes that came."""
        flow = self.flows[way]
        if (room := KEPT - len(flow.first)) > 0:
            flow.first += data[:room]
        if not self.struck:
            self._waiting[way] += data

    def finish(self, way: Way) -> None:
        """Nothing more comes from there."""
        self._ended.add(way)

    def full(self, way: Way) -> bool:
        """Whether no more should be received before some has gone on."""
        return len(self._waiting[way]) > _WAITING or self._on_line[way] > _LATE

    @property
    def wake(self) -> float | None:
        """When there will be something to do without anything coming before."""
        times = [self._late[0][0]] if self._late else []
        if not self.struck:
            times += [self._free[way] for way in Way if self._waiting[way] or way in self._ended]
            if (wake := self._watch.wake) is not None:
                times.append(wake)
        return min(times, default=None)

    def advance(self, now: float) -> list[Action]:
        """Return what is to be done by now. After a Strike there is nothing more to do."""
        if not self.struck and (ending := self._watch.tick(now)) is not None:
            self.struck = True
            self._late.clear()
            return [Strike(ending)]
        for way in Way:
            self._judge(way, now)
        actions: list[Action] = []
        while self._late and self._late[0][0] <= now:
            _, _, action = heapq.heappop(self._late)
            actions.append(action)
            if isinstance(action, Send):
                self._on_line[action.way] -= len(action.data)
                self.flows[action.way].passed += 0 if action.forged else len(action.data)
            elif isinstance(action, Strike):
                self._late.clear()
        return actions

    def _judge(self, way: Way, now: float) -> None:
        waiting, watch = self._waiting[way], self._watch
        while waiting and not self.struck and self._free[way] <= now:
            piece = bytes(waiting[: watch.piece])
            del waiting[: watch.piece]
            verdict = watch.sees(way, piece, now)
            self._free[way] = now + watch.pause(way, len(verdict.data))
            due = now + watch.lag
            if verdict.data:
                self._put(due, Send(way, verdict.data))
            if verdict.forged:
                self._put(due, Send(way.back, verdict.forged, forged=True))
            for probe in verdict.probes:
                self._put(due, probe)
            if verdict.ending is not None:
                self.struck = True
                self._put(due, Strike(verdict.ending, way))
        if way in self._ended and not waiting and not self.struck and self._free[way] <= now:
            self._ended.discard(way)
            self._put(now + watch.lag, Finish(way))

    def _put(self, due: float, action: Action) -> None:
        heapq.heappush(self._late, (due, next(self._order), action))
        if isinstance(action, Send):
            self._on_line[action.way] += len(action.data)


#: One measure for all connections; or one a connection, in turn (`PASS` when there are no more); or a
#: function of the connection's number.
Rules = Measure | Callable[[int], Measure] | Iterable[Measure]


class Script:
    """Which measure is for which connection."""

    def __init__(self, rules: Rules = ()) -> None:
        self._numbers = itertools.count()
        self.decree(rules)

    def decree(self, rules: Rules) -> None:
        """Put other rules in force, for connections to come."""
        if isinstance(rules, Measure):
            whole = rules
            self._measure_for: Callable[[int], Measure] = lambda _: whole
        elif callable(rules):
            self._measure_for = rules
        else:
            turns = iter(rules)
            self._measure_for = lambda _: next(turns, PASS)

    def open(self, host: str, port: int, now: float) -> Inspection:
        """Judge a new connection."""
        number = next(self._numbers)
        connection = Connection(number, host, port, now)
        return Inspection(connection, self._measure_for(number).watch(connection))
