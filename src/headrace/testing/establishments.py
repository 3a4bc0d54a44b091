"""Establishments played through without a network: what would happen to each dial is made up beforehand.

    fates = mixed_fates(SeededRng(1), addresses, blocked=0.9)
    outcome = play(scheduler, fates.__getitem__)

Time passes as far as the next thing that happens, so hours take milliseconds, and 10,000 establishments over
1,000 servers take a minute or two.
"""

import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from headrace.base.rng import Rng
from headrace.client.tunnel import CONNECT_TIMEOUT
from headrace.establishment.dial_parameters import DialParameters
from headrace.establishment.scheduler import Activate, Dial, Drop, NewRound, Scheduler, WantServers
from headrace.establishment.states import ENDINGS, State

__all__ = ["Fate", "Outcome", "mixed_fates", "play"]


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a dial: it is through or fails after `seconds`; silent ones last as patience does."""

    seconds: float
    works: bool = False
    silent: bool = False
    handshake: float | None = 0.1  #: seconds for the API handshake; None if it fails, after ten
    pause: float | None = None  #: the longest silence in between; None if all of it may be silence


@dataclass(slots=True)
class Outcome:
    """How an establishment went; all times are seconds since it began."""

    connected: list[DialParameters] = field(default_factory=list)
    seconds: float = 0.0
    state: State = State.IDLE
    dialled: list[DialParameters] = field(default_factory=list)  #: in order
    most_at_once: int = 0
    wanted_servers: list[float] = field(default_factory=list)  #: when
    rounds: int = 0


def play(
    scheduler: Scheduler,
    fate_of: Callable[[str], Fate],
    *,
    wanted: int = 1,
    give_up: float = 0.0,
    begin: float = 0.0,
    until: float = 86_400.0,
) -> Outcome:
    """Run an establishment to its end, or for `until` seconds; `fate_of` says what an address meets."""
    outcome = Outcome()
    order = itertools.count()
    coming: list[tuple[float, int, Callable[[float], None], DialParameters]] = []
    gone: set[int] = set()
    dialling: set[int] = set()

    def expect(at: float, happens: Callable[[float], None], attempt: DialParameters) -> None:
        heapq.heappush(coming, (at, next(order), happens, attempt))

    def dial(attempt: DialParameters, patience: float, now: float) -> None:
        fate = fate_of(attempt.entry.ip_address)
        outcome.dialled.append(attempt)
        dialling.add(attempt.candidate_number)
        outcome.most_at_once = max(outcome.most_at_once, len(dialling))
        patience *= attempt.latency_multiplier
        longest = CONNECT_TIMEOUT * attempt.latency_multiplier
        pause = fate.seconds if fate.pause is None else fate.pause
        heard = not fate.silent and pause <= patience
        report = scheduler.connected if fate.works and heard and fate.seconds <= longest else scheduler.failed

        def ends(at: float) -> None:
            dialling.discard(attempt.candidate_number)
            report(attempt, at)

        expect(now + (min(fate.seconds, longest) if heard else patience), ends, attempt)

    def activate(attempt: DialParameters, now: float) -> None:
        seconds = fate_of(attempt.entry.ip_address).handshake

        def through(at: float) -> None:
            outcome.connected.append(attempt)
            scheduler.activated(attempt, at)

        if seconds is None:
            expect(now + 10, lambda at: scheduler.refused(attempt, at), attempt)
        else:
            expect(now + seconds, through, attempt)

    now = begin
    scheduler.begin(now, wanted=wanted, give_up=give_up)
    while True:
        while actions := scheduler.take_actions():
            for action in actions:
                match action:
                    case Dial(attempt, patience):
                        dial(attempt, patience, now)
                    case Activate(attempt):
                        activate(attempt, now)
                    case Drop(attempt):
                        gone.add(attempt.candidate_number)
                        dialling.discard(attempt.candidate_number)
                    case WantServers():
                        outcome.wanted_servers.append(now - begin)
                    case NewRound():
                        outcome.rounds += 1
        outcome.seconds, outcome.state = now - begin, scheduler.state
        while coming and coming[0][3].candidate_number in gone:
            heapq.heappop(coming)
        if scheduler.state in ENDINGS or now - begin > until:
            return outcome
        wake = scheduler.wake
        if coming and (wake is None or coming[0][0] <= wake):
            now, _, happens, _ = heapq.heappop(coming)
            happens(now)
        elif wake is not None:
            now = max(now, wake)
            scheduler.tick(now)
        else:
            return outcome


def mixed_fates(rng: Rng, addresses: Sequence[str], *, blocked: float) -> dict[str, Fate]:
    """Return fates of which the share `blocked` is of no use, in the mixed ways that censors have.

    At least one server works. Half of the blocked ones are silent, the others refuse, are reset after a
    while, let in and fail the handshake, or are slowed down so that they are hardly ever in time.
    """
    fates: dict[str, Fate] = {}
    works = max(1, round(len(addresses) * (1 - blocked)))
    for place, address in enumerate(rng.shuffled(addresses)):
        delay = rng.between(20, 900) / 1000
        if place < works:
            fates[address] = Fate(3 * delay, works=True, handshake=delay)
            continue
        match rng.between(0, 9):
            case 0 | 1 | 2 | 3 | 4:
                fates[address] = Fate(delay, silent=True)
            case 5 | 6:
                fates[address] = Fate(delay)  # refused
            case 7:
                fates[address] = Fate(2 * delay)  # reset amid the log-in
            case 8:
                fates[address] = Fate(rng.between(40, 120), works=True, pause=rng.between(2, 12))
            case _:
                fates[address] = Fate(3 * delay, works=True, handshake=None)
    return fates
