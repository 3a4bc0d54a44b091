"""Whom to dial now, whom to keep, when to pause: an establishment as a machine that neither waits nor dials.

    inputs   begin, connected, failed, activated, refused, arrived, lost, tick: each with the time
    outputs  actions to carry out, in order, and `wake`: when to call `tick` at the latest

Its states and what leads from one to the next are in `states`.

At most `workers` dials run at once, whatever happens. Whoever is through log-in has arrived; the policy
chooses among the arrivals, and the one chosen is activated by the API handshake, one at a time. While enough
have arrived nobody else is dialled; what is under way goes on, in case a handshake fails. A handshake that
takes long holds up nobody: others are dialled and activated beside it.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from headrace.base.rng import Rng
from headrace.establishment.candidates import Nothing
from headrace.establishment.dial_parameters import DialParameters
from headrace.establishment.policy import Arrival
from headrace.establishment.settings import EstablishmentSettings
from headrace.establishment.states import ENDINGS, TRANSITIONS, Happening, State

__all__ = ["Action", "Activate", "Attempts", "Dial", "Drop", "NewRound", "Scheduler", "WantServers"]

#: Seconds for which a dial is left alone when there is somebody new to try instead.
STANDS_ASIDE_AFTER = 1.0


class Attempts(Protocol):
    """Where attempts come from: `candidates.Candidates`."""

    seen: int  #: servers looked at in this round

    def begin_round(self, first: bool, *, favourite: bool = True) -> None:
        """Begin anew with everybody who is known; without `favourite` nobody has a head start."""
        ...

    def add(self, addresses: Sequence[str]) -> None:
        """Have the servers at these addresses tried next."""
        ...

    def take(self, busy: Collection[str] = (), *, newcomers: bool = False) -> DialParameters | Nothing:
        """Return the next attempt at somebody not at one of the `busy` addresses."""
        ...


@dataclass(frozen=True, slots=True)
class Dial:
    """Begin an attempt; a server that shows no sign of life for `patience` seconds is of no use."""

    attempt: DialParameters
    patience: float


@dataclass(frozen=True, slots=True)
class Activate:
    """Make the handshake over a tunnel that is through log-in."""

    attempt: DialParameters


@dataclass(frozen=True, slots=True)
class Drop:
    """End an attempt, however far it has come: it was `outrun`, or must make room, or it is all over."""

    attempt: DialParameters
    outrun: bool


@dataclass(frozen=True, slots=True)
class WantServers:
    """More servers should be learned of, while dialling goes on."""


@dataclass(frozen=True, slots=True)
class NewRound:
    """Everybody known is tried, or tried again; rounds are counted from 0."""

    number: int


Action = Dial | Activate | Drop | WantServers | NewRound


@dataclass(slots=True)
class _Attempt:
    """A dial under way, an arrival that waits, or the one that is activated."""

    parameters: DialParameters
    begun: float
    arrival: Arrival | None = None
    hopeful_until: float | None = None  # of one that is activated


class Scheduler:
    """One establishment. `network_up` says whether there is a network that leads to a host."""

    def __init__(
        self,
        settings: EstablishmentSettings,
        attempts: Attempts,
        rng: Rng,
        *,
        network_up: Callable[[str], bool] = lambda host: True,
    ) -> None:
        self.state = State.IDLE
        self.wake: float | None = None
        self._settings = settings
        self._policy = settings.policy
        self._attempts = attempts
        self._rng = rng
        self._network_up = network_up
        self._actions: list[Action] = []
        self._wanted = 0
        self._favourite = True
        self._active: set[str] = set()  # addresses of tunnels in use
        self._running: dict[int, _Attempt] = {}  # by candidate number, in the order of their starts
        self._ahead: int | None = None  # who has a head start
        self._held: DialParameters | None = None  # taken, and not dialled for want of a network
        self._round = 0
        self._dialled = False  # somebody, in this round
        self._newcomers = False  # there may be servers that were not known when the round began
        self._give_up_at: float | None = None
        self._long_at = self._round_ends_at = self._next_start = self._grace_ends_at = self._pause_ends_at = (
            0.0
        )
        self._offline_since = 0.0

    # ---- what happens ---------------------------------------------------------------------------------

    def begin(
        self,
        now: float,
        *,
        wanted: int = 1,
        active: Iterable[str] = (),
        give_up: float = 0.0,
        favourite: bool = True,
    ) -> None:
        """Look for `wanted` tunnels besides those to the `active` addresses; 0 seconds are never too late.

        Only what is looked for in vain is given up: after the first tunnel it is never too late. Without
        `favourite` the server used last has no head start.
        """
        self._wanted = wanted
        self._favourite = favourite
        self._active = set(active)
        self._long_at = now + self._settings.work_time
        self._give_up_at = now + give_up if give_up else None
        self._next_start = now
        self._become(Happening.BEGIN)
        self._begin_round(now)
        self._actions.append(NewRound(0))
        self._go_on(now)

    def connected(self, attempt: DialParameters, now: float) -> None:
        """An attempt is through log-in and liveness test."""
        running = self._running.get(attempt.candidate_number)
        if running is not None and running.arrival is None:
            running.arrival = Arrival(attempt, now, now - running.begun)
        self._go_on(now)

    def failed(self, attempt: DialParameters, now: float) -> None:
        """An attempt has ended by itself, whether it was dialling, waiting or being activated."""
        self._running.pop(attempt.candidate_number, None)
        self._go_on(now)

    refused = failed

    def activated(self, attempt: DialParameters, now: float) -> None:
        """The handshake is through: the tunnel is in use from now on, and no longer ours."""
        if self._running.pop(attempt.candidate_number, None) is not None:
            self._active.add(attempt.entry.ip_address)
            self._wanted -= 1
            self._give_up_at = None
        self._go_on(now)

    def lost(self, address: str, now: float) -> None:
        """A tunnel that was in use is so no more: another one is wanted."""
        if address in self._active:
            self._active.discard(address)
            self._wanted += 1
        self._go_on(now)

    def arrived(self, addresses: Sequence[str], now: float) -> None:
        """The servers at these addresses were not known before: they are tried next."""
        if not addresses or self.state in ENDINGS:
            return
        self._attempts.add(addresses)
        self._newcomers = True
        if self.state is State.PAUSING:
            self._become(Happening.NEXT_ROUND)  # of the newcomers; the round proper begins after it
            self._round_ends_at = now + self._settings.work_time
        self._make_room(now)
        self._go_on(now)

    def tick(self, now: float) -> None:
        """Time has passed."""
        self._go_on(now)

    def abandon(self) -> None:
        """End it all; whatever is heard afterwards comes too late."""
        if self.state not in ENDINGS:
            self._become(Happening.ABANDON)
        self.wake = None
        self._drop_rest(outrun=False)

    def take_actions(self) -> list[Action]:
        """Return what is to be done, once."""
        actions, self._actions = self._actions, []
        return actions

    @property
    def dials(self) -> int:
        """Attempts that are not through log-in yet."""
        return sum(running.arrival is None for running in self._running.values())

    # ---- what follows ---------------------------------------------------------------------------------

    def _become(self, happening: Happening) -> None:
        self.state = TRANSITIONS[self.state][happening]

    def _go_on(self, now: float) -> None:
        self.wake = None
        if self.state in ENDINGS or self.state is State.IDLE:
            return
        if self._wanted <= 0:
            self._become(Happening.COMPLETE)
            self._drop_rest(outrun=True)
            return
        if self._give_up_at is not None and self.state is not State.OFFLINE and now >= self._give_up_at:
            self._become(Happening.TOO_LATE)
            self._drop_rest(outrun=False)
            return
        if now >= self._long_at and self.state is not State.OFFLINE:
            self._actions.append(WantServers())
            self._long_at = now + self._settings.work_time
        self._activate(now)
        self._see_whether_enough_are_through(now)
        if self.state is State.OFFLINE:
            self._look_for_network(now)
        alone = self._ahead in self._running and now < self._grace_ends_at
        if self.state is State.HEAD_START and not alone:
            self._become(Happening.FAVOURITE_OVER)
        if self.state is State.PAUSING and now >= self._pause_ends_at:
            self._become(Happening.NEXT_ROUND)
            if (
                self._dialled
            ):  # else it is the same round still: everybody is being dialled already, or nobody known
                self._round += 1
                self._actions.append(NewRound(self._round))
            self._begin_round(now)
        if self.state is State.DIALLING:
            self._dial(now)
        self._set_alarm(now)

    def _activate(self, now: float) -> None:
        """Have the best of the arrivals activated, if it is time to choose and no other one is hopeful."""
        if any(running.hopeful_until is not None for running in self._hopeful(now)):
            return
        arrivals = self._waiting()
        if not arrivals or now < self._policy.decides_at(arrivals):
            return
        best = self._policy.choose(arrivals).attempt
        self._running[best.candidate_number].hopeful_until = now + self._settings.handshake_hold
        self._actions.append(Activate(best))

    def _waiting(self) -> list[Arrival]:
        """Return who is through log-in and not activated, the earliest first."""
        waiting = [
            running.arrival
            for running in self._running.values()
            if running.arrival is not None and running.hopeful_until is None
        ]
        return sorted(waiting, key=lambda arrival: arrival.at)

    def _hopeful(self, now: float) -> list[_Attempt]:
        """Return who is through log-in, but for those whose handshake takes long."""
        return [
            running
            for running in self._running.values()
            if running.arrival is not None and (running.hopeful_until is None or now < running.hopeful_until)
        ]

    def _see_whether_enough_are_through(self, now: float) -> None:
        enough = len(self._hopeful(now)) >= self._wanted
        if enough and self.state is not State.HOLDING:
            if self.state is State.OFFLINE:
                self._forgive_absence(now)
            self._become(Happening.ENOUGH)
        elif not enough and self.state is State.HOLDING:
            self._become(Happening.NOT_ENOUGH)

    def _look_for_network(self, now: float) -> None:
        assert self._held is not None
        if self._network_up(self._held.host):
            self._forgive_absence(now)
            self._become(Happening.NETWORK_BACK)

    def _forgive_absence(self, now: float) -> None:
        """Have the time without a network count for nothing."""
        away = now - self._offline_since
        self._long_at += away
        self._round_ends_at += away
        if self._give_up_at is not None:
            self._give_up_at += away

    # ---- dialling -------------------------------------------------------------------------------------

    def _begin_round(self, now: float) -> None:
        self._dialled = False
        self._round_ends_at = now + self._settings.work_time
        self._attempts.begin_round(first=self._round == 0, favourite=self._favourite)

    def _dial(self, now: float) -> None:
        """Begin as many dials as there are workers for."""
        workers = self._settings.workers
        while self.state is State.DIALLING and self.dials < workers and now >= self._next_start:
            attempt = self._take(now)
            if attempt is Nothing.LATER:
                self.wake = now
                return
            if attempt is Nothing.NOBODY:
                self._end_round(now)
                return
            if not self._network_up(attempt.host):
                self._held, self._offline_since = attempt, now
                self._become(Happening.NETWORK_LOST)
                return
            self._begin_dial(attempt, now)

    def _take(self, now: float) -> DialParameters | Nothing:
        if self._held is not None:
            held, self._held = self._held, None
            return held
        busy = self._active | {running.parameters.entry.ip_address for running in self._running.values()}
        if self._newcomers:
            attempt = self._attempts.take(busy, newcomers=True)
            if attempt is not Nothing.NOBODY:
                return attempt
            self._newcomers = False
        return self._attempts.take(busy) if now < self._round_ends_at else Nothing.NOBODY

    def _begin_dial(self, attempt: DialParameters, now: float) -> None:
        settings = self._settings
        self._dialled = True
        self._running[attempt.candidate_number] = _Attempt(attempt, now)
        self._actions.append(Dial(attempt, settings.patience_in(self._round)))
        if settings.stagger:
            self._next_start = now + self._varied(settings.stagger)
        if attempt.head_start and settings.pool_size == 1 and self._policy.head_start:
            self._ahead = attempt.candidate_number
            self._grace_ends_at = now + self._policy.head_start
            self._become(Happening.FAVOURITE_DIALLED)

    def _end_round(self, now: float) -> None:
        if not self._attempts.seen:
            self._actions.append(WantServers())
        self._pause_ends_at = now + self._varied(self._settings.pause)
        self._become(Happening.ROUND_OVER)

    def _make_room(self, now: float) -> None:
        """Let the oldest dials stand aside for servers just learned of, half of them at most."""
        room = self._settings.workers // 2 - (self._settings.workers - self.dials)
        for number, running in list(self._running.items()):
            if room > 0 and running.arrival is None and now - running.begun >= STANDS_ASIDE_AFTER:
                self._drop(number, outrun=False)
                room -= 1

    def _drop(self, number: int, *, outrun: bool) -> None:
        self._actions.append(Drop(self._running.pop(number).parameters, outrun))

    def _drop_rest(self, *, outrun: bool) -> None:
        for number in list(self._running):
            self._drop(number, outrun=outrun)

    # ---- time -----------------------------------------------------------------------------------------

    def _varied(self, seconds: float) -> float:
        return seconds * (1 + self._settings.jitter * self._rng.between(-1000, 1000) / 1000)

    def _set_alarm(self, now: float) -> None:
        times = [] if self.wake is None else [self.wake]
        if self.state is State.OFFLINE:
            times.append(now + self._settings.connectivity_poll)
        else:
            times.append(self._long_at)
            times += [] if self._give_up_at is None else [self._give_up_at]
        if self.state is State.HEAD_START:
            times.append(self._grace_ends_at)
        if self.state is State.PAUSING:
            times.append(self._pause_ends_at)
        if self.state is State.DIALLING and self.dials < self._settings.workers:
            times.append(self._next_start)
        hopes = [running.hopeful_until for running in self._hopeful(now)]
        hopeful = [until for until in hopes if until is not None]
        times += hopeful
        if not hopeful and (waiting := self._waiting()):
            times.append(self._policy.decides_at(waiting))
        self.wake = min(times)
