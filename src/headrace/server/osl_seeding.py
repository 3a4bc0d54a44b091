"""Keys for obfuscated lists: what a tunnel's port forwards carry is counted, and what it earns is sent.

    port forwards ──► SeedState (documents/osl/seeding) ──► psiphon-osl ──► client

Only forwards whose destination some seed spec names are looked at: when the worker sweeps, and when they end.
The bytes are counted by whoever moves them. A client that comes back soon goes on where it was: its state is
kept under the random ID it presents at log-in, in memory only, and knows nothing of where it connects from.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol

import msgspec

from headrace.base.clock import Clock
from headrace.documents.osl.config import OslConfig
from headrace.documents.osl.seeding import Progress, SeedState, applicable
from headrace.documents.osl.sloks import Slok
from headrace.documents.port_policy import Address

__all__ = ["KEPT", "RETRY", "SeedStates", "Seeding"]

#: Seconds that a client's state waits for its return.
KEPT: Final = 300.0
#: Seconds until what a client rejected is sent again; twice as many each further time.
RETRY: Final = 30.0
#: Most SLOKs in one request, which stays below the 32,768 bytes that every SSH peer takes (RFC 4253 §6.1).
_MOST_SENT: Final = 256
#: Most states that wait; the longest waiting one makes room.
_MOST_KEPT: Final = 10_000

_NANOSECONDS: Final = 1_000_000_000

Request = Callable[[bytes, bytes, Callable[[bytes | None], None]], None]


class Flow(Protocol):
    """A port forward or UDP flow. The socket is the one to the destination: in is down, out is up."""

    bytes_in: int
    bytes_out: int


class _Counted:
    """What was counted of a flow so far."""

    __slots__ = ("bytes_in", "bytes_out", "matching", "seen")

    def __init__(self, flow: Flow, matching: Sequence[Progress], now: float) -> None:
        self.matching = matching
        self.bytes_in = flow.bytes_in
        self.bytes_out = flow.bytes_out
        self.seen = now  # monotonic: when the flow began, or was last seen to have received


class Seeding:
    """The seeding of one tunnel. `request` sends a global request; its reply is None if it was refused."""

    def __init__(self, state: SeedState, request: Request, clock: Clock) -> None:
        self.state = state
        self._request = request
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._flows: dict[Flow, _Counted] = {}
        self._asking = False
        self._ended = False
        self._delay = RETRY
        self._timer: asyncio.TimerHandle | None = None
        self._loop.call_soon(self._send)  # what the client earned last time, after its handshake's answer

    def opened(self, flow: Flow, address: Address) -> None:
        """A port forward to `address` begins."""
        if matching := self.state.matching(address):
            self._flows[flow] = _Counted(flow, matching, self._loop.time())

    def closed(self, flow: Flow) -> None:
        """A port forward has ended; any may be told of, and more than once."""
        counted = self._flows.pop(flow, None)
        if counted is not None:
            self._count(flow, counted)
            self._send()

    def sweep(self) -> None:
        """Look at what the port forwards have carried since the last look."""
        for flow, counted in self._flows.items():
            self._count(flow, counted)
        self._send()

    def restart(self, state: SeedState) -> None:
        """Go on with another state, after a change of configuration; open port forwards count no more."""
        self._flows.clear()
        self.state = state

    def end(self) -> SeedState:
        """The tunnel is over: take a last look, and return what the client may come back to."""
        for flow, counted in self._flows.items():
            self._count(flow, counted)
        self._flows.clear()
        self._ended = True
        self._cancel_timer()
        return self.state

    def _count(self, flow: Flow, counted: _Counted) -> None:
        read, written = flow.bytes_in - counted.bytes_in, flow.bytes_out - counted.bytes_out
        if not (read or written):
            return
        duration = 0.0
        if read:  # time counts up to the last byte that came down
            now = self._loop.time()
            duration, counted.seen = now - counted.seen, now
        counted.bytes_in, counted.bytes_out = flow.bytes_in, flow.bytes_out
        wall_clock = int(self._clock.time() * _NANOSECONDS)
        pending = len(self.state.pending)
        self.state.add(counted.matching, read, written, int(duration * _NANOSECONDS), wall_clock)
        if len(self.state.pending) > pending:
            self._cancel_timer()  # something new: no reason to wait with it

    # ---- delivery -------------------------------------------------------------------------------------

    def _send(self) -> None:
        """Send what is pending, the oldest first, unless a request is under way or has to wait."""
        if self._asking or self._ended or self._timer is not None or not self.state.pending:
            return
        self._asking = True
        sloks = tuple(self.state.pending[:_MOST_SENT])
        listed = [{"ID": slok.id, "Key": slok.key} for slok in sloks]
        payload = msgspec.json.encode({"seed_payload": {"SLOKs": listed}})
        self._request(b"psiphon-osl", payload, partial(self._answered, self.state, sloks))

    def _answered(self, state: SeedState, sloks: Sequence[Slok], reply: bytes | None) -> None:
        self._asking = False
        if reply is not None:
            state.delivered(sloks)
            self._delay = RETRY
            self._send()
        elif not self._ended:
            self._timer = self._loop.call_later(self._delay, self._retry)
            self._delay *= 2

    def _retry(self) -> None:
        self._timer = None
        self._send()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class SeedStates:
    """Where tunnels take the state of their seeding from, and leave it for a client that may come back."""

    def __init__(self, config: OslConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._kept: dict[str, tuple[float, SeedState]] = {}  # by session ID, until when; the first go first

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, session_id: str, state: SeedState) -> None:
        """Keep a state for a while, if there is anything in it."""
        if session_id and not state.untouched:
            now = self._clock.monotonic()
            self._kept.pop(session_id, None)
            self._kept[session_id] = (now + KEPT, state)
            self._expire(now)

    def take(self, session_id: str, channel: str, region: str) -> SeedState:
        """Return the state of a client that is back, else a new one."""
        self._expire(self._clock.monotonic())
        _, state = self._kept.pop(session_id, (0.0, None))
        if state is not None and state.channel == channel:
            return state
        now = int(self._clock.time() * _NANOSECONDS)
        return SeedState(applicable(self._config, channel, region, now), channel)

    def _expire(self, now: float) -> None:
        while self._kept:
            session_id, (until, _) = next(iter(self._kept.items()))
            if until > now and len(self._kept) <= _MOST_KEPT:
                return
            del self._kept[session_id]
