"""One connection through the censor: what an inspection says is done, on sockets or in memory.

    client's transport ◄──► Side ◄──► Inspection ◄──► Side ◄──► target's transport

The relay holds up whoever sends faster than the other side takes, and a strike waits until what was to pass
before it is on its way. What a peer has not yet read when its connection is reset may be lost, as anywhere.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from headrace.base.errors import NetworkError
from headrace.testing.censor_side import Side
from headrace.testing.censorship import RESET_CLIENT, Ending, Probe, Way
from headrace.testing.inspection import Action, Finish, Flow, Inspection, Send, Strike

__all__ = ["CensorClock", "Connect", "Passage", "Relay"]

#: Connects this protocol to the target. Raises OSError or NetworkError.
Connect = Callable[[asyncio.Protocol], Awaitable[object]]


class CensorClock:
    """Seconds since the censor began."""

    def __init__(self, epoch: float | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self.epoch = self._loop.time() if epoch is None else epoch

    def now(self) -> float:
        return self._loop.time() - self.epoch

    def call_at(self, time: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        return self._loop.call_at(self.epoch + time, callback)


@dataclass(slots=True)
class Passage:
    """One connection, and what has become of it."""

    inspection: Inspection
    struck: asyncio.Event = field(default_factory=asyncio.Event)  #: the ending has come
    ended: asyncio.Event = field(default_factory=asyncio.Event)  #: nothing is open any more

    @property
    def number(self) -> int:
        """Counted from 0."""
        return self.inspection.connection.number

    @property
    def up(self) -> Flow:
        """From the client."""
        return self.inspection.flows[Way.UP]

    @property
    def down(self) -> Flow:
        """To the client."""
        return self.inspection.flows[Way.DOWN]


class Relay:
    """Carries out what is to be done to one connection. `client` is the protocol for its transport."""

    def __init__(
        self, inspection: Inspection, clock: CensorClock, connect: Connect, probe: Callable[[Probe], None]
    ) -> None:
        self.passage = Passage(inspection)
        self.client = Side(self, Way.UP)
        self.target = Side(self, Way.DOWN)
        self._inspection = inspection
        self._clock = clock
        self._connect = connect
        self._probe = probe
        self._timer: asyncio.TimerHandle | None = None
        self._woken = 0.0
        self._dialling: asyncio.Task[None] | None = None
        self._strike: Strike | None = None  # it waits for a side to take what came before
        self._ending: Ending | None = None  # the one that has struck
        self._over = False  # both sides were closed or reset; their transports may have yet to find out

    def begin(self) -> None:
        """The client's transport is there."""
        if self._over:  # ended before it came
            self.client.reset()
        else:  # even without a delay after a moment: whoever connected is to see that it is connected
            due = self._inspection.connection.time + self._inspection.opening.delay
            self._timer = self._clock.call_at(due, self._open)

    def abort(self) -> None:
        """Reset both sides."""
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        if self._dialling is not None:
            self._dialling.cancel()
        self.client.reset()
        self.target.reset()

    def _open(self) -> None:
        self._timer = None
        if (ending := self._inspection.opening.ending) is not None:
            self._end(ending)
        else:
            self._dialling = asyncio.get_running_loop().create_task(self._dial())
            self._dialling.add_done_callback(lambda _: self._look_whether_ended())

    async def _dial(self) -> None:
        try:
            await self._connect(self.target)
        except (OSError, NetworkError):
            self.abort()
        except (
            asyncio.CancelledError
        ):  # the connection may just have been made: uvloop does not say it is lost
            self.target.reset()
            self.target.gone = True
            raise

    # ---- what the sides tell ---------------------------------------------------------------------------

    def made(self, side: Side) -> None:
        """A side has its transport."""
        if side is self.client:
            self.begin()
        elif self._over:
            self.target.reset()
        else:
            self.advance()

    def received(self, way: Way, data: bytes) -> None:
        """Bytes came."""
        self._inspection.receive(way, data)
        self.advance()

    def finished(self, side: Side) -> None:
        """A side has nothing more to say."""
        if self._ending is not None:  # it was kept in the dark, and leaves
            side.close()
            self.lost(side)
            return
        self._inspection.finish(side.way)
        self.advance()

    def lost(self, side: Side) -> None:
        """A side has gone."""
        if self._ending is None:
            if not self._over:
                self.abort()
        elif side is self.client and self._ending is not RESET_CLIENT:
            self.target.reset()
        self._look_whether_ended()

    def _look_whether_ended(self) -> None:
        dialled = self._dialling is None or self._dialling.done()
        if self.client.gone and dialled and (self.target.gone or self.target.transport is None):
            if self._timer is not None:
                self._timer.cancel()
            self.passage.ended.set()

    # ---- what is done ----------------------------------------------------------------------------------

    def advance(self) -> None:
        """Do what is to be done by now."""
        if self._strike is not None:
            self._perform(self._strike)
        elif not self._over and self._ending is None and self.target.transport is not None:
            # The loop's clock may be a rounding error short of the time it was to wake us at.
            for action in self._inspection.advance(max(self._clock.now(), self._woken)):
                self._perform(action)
            self._set_timer()
        self._hold_up()

    def _perform(self, action: Action) -> None:
        match action:
            case Send(way, data):
                self._sink(way).write(data)
            case Finish(way):
                self._sink(way).write_eof()
                if self.client.ended and self.target.ended:
                    self._over = True
                    self.client.close()
                    self.target.close()
            case Strike(ending, after):
                waits = after is not None and self._sink(after).clogged
                self._strike = action if waits else None
                if not waits:
                    self._end(ending)
            case Probe():
                self._probe(action)

    def _end(self, ending: Ending) -> None:
        """Strike. Whoever is to be kept in the dark stays, until it leaves."""
        self._ending = ending
        self.passage.struck.set()
        match ending:
            case Ending.RESET:
                self.abort()
            case Ending.CLOSE:
                self.target.reset()
                self.client.write_eof()
            case Ending.RESET_CLIENT:
                self.client.reset()
            case Ending.RESET_TARGET:
                self.target.reset()
        self._hold_up()

    def _sink(self, way: Way) -> Side:
        return self.target if way is Way.UP else self.client

    def _hold_up(self) -> None:
        """Read from a side as far as the other one keeps up. After a strike, to see it leave."""
        for side in (self.client, self.target):
            if self._ending is None:
                behind = self._sink(side.way).clogged or self._inspection.full(side.way)
                side.read(not behind)
            else:  # packets of a target that is to stall are dropped: it gets none of them acknowledged
                side.read(side is self.client or self._ending is RESET_CLIENT)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wake = None if self._over or self._ending is not None else self._inspection.wake
        if wake is not None:
            self._timer = self._clock.call_at(wake, partial(self._wake, wake))

    def _wake(self, time: float) -> None:
        self._timer = None
        self._woken = time
        self.advance()
