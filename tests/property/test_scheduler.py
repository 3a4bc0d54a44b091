"""The scheduler under any inputs in any order: what holds of every establishment, however it goes."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.establishment.line import Line, address

from headrace.base.rng import SeededRng
from headrace.establishment.dial_parameters import DialParameters
from headrace.establishment.policy import Collect, FirstReady
from headrace.establishment.scheduler import Activate, Dial, Drop, NewRound, Scheduler, WantServers
from headrace.establishment.settings import EstablishmentSettings
from headrace.establishment.states import ENDINGS, State

NAMES = "abcdefgh"
#: Ticks at `wake` in which time has to have moved on.
FEW = 40

settings_of = st.builds(
    EstablishmentSettings,
    workers=st.integers(1, 5),
    pool_size=st.integers(1, 3),
    policy=st.sampled_from([FirstReady(1.0), FirstReady(0.0), Collect(0.1), Collect(0.0)]),
    stagger=st.sampled_from([0.0, 0.1]),
    work_time=st.sampled_from([3.0, 60.0]),
    jitter=st.sampled_from([0.0, 0.1, 0.5]),
    handshake_hold=st.sampled_from([0.0, 2.0]),
)
steps = st.one_of(st.just(0.0), st.just(0.1), st.floats(0, 5), st.floats(0, 1e6))
REPORTS = ("connected", "failed", "activated", "refused")
inputs = st.one_of(
    st.tuples(st.sampled_from(REPORTS), st.integers(0, 9)),
    st.tuples(st.just("late"), st.tuples(st.sampled_from(REPORTS), st.integers(0, 30))),
    st.tuples(st.just("again"), st.integers(0, 9)),
    st.tuples(st.just("tick"), steps),
    st.tuples(st.just("wake"), st.integers(1, 5)),
    st.tuples(st.just("arrived"), st.lists(st.sampled_from("stuvwxyz"), max_size=3)),
    st.tuples(st.just("lost"), st.sampled_from(NAMES)),
    st.tuples(st.just("network"), st.booleans()),
    st.tuples(st.just("hesitate"), st.integers(1, 2)),
    st.tuples(st.just("abandon"), st.none()),
)


class Watched:
    """An establishment, with books kept of what was begun and what has ended."""

    def __init__(self, settings: EstablishmentSettings, line: Line, **begin: Any) -> None:
        self.settings = settings
        self.line = line
        self.now = 0.0
        self.up = True
        self.dialling: dict[int, DialParameters] = {}
        self.arrived: dict[int, DialParameters] = {}
        self.activating: dict[int, DialParameters] = {}
        self.ended: list[DialParameters] = []
        self.seen: set[int] = set()
        self.activated: set[int] = set()
        self.abandoned = False
        self.scheduler = Scheduler(settings, line, SeededRng(1), network_up=lambda _: self.up)
        self.scheduler.begin(self.now, **begin)
        self.watch()

    def watch(self) -> int:
        """Check what is to be done and in which state that leaves everything; return how much it is."""
        scheduler = self.scheduler
        actions = scheduler.take_actions()
        for action in actions:
            match action:
                case Dial(attempt, patience):
                    assert not self.abandoned
                    assert self.up
                    assert 0 < patience <= self.settings.connect_timeout
                    assert attempt.candidate_number not in self.seen
                    self.seen.add(attempt.candidate_number)
                    self.dialling[attempt.candidate_number] = attempt
                    assert len(self.dialling) <= self.settings.workers
                case Activate(attempt):
                    assert attempt.candidate_number not in self.activated
                    self.activated.add(attempt.candidate_number)
                    self.activating[attempt.candidate_number] = self.arrived.pop(attempt.candidate_number)
                case Drop(attempt):
                    self._end(attempt)
                case WantServers() | NewRound():
                    assert not self.abandoned
        assert scheduler.take_actions() == []
        assert scheduler.dials == len(self.dialling)
        under_way = [*self.dialling.values(), *self.arrived.values(), *self.activating.values()]
        addresses = [attempt.entry.ip_address for attempt in under_way]
        assert len(set(addresses)) == len(addresses)
        if scheduler.state in ENDINGS or self.abandoned:
            assert under_way == []
            assert scheduler.wake is None
        else:
            assert scheduler.wake is not None
        return len(actions)

    def _end(self, attempt: DialParameters) -> None:
        (home,) = [
            books
            for books in (self.dialling, self.arrived, self.activating)
            if attempt.candidate_number in books
        ]
        self.ended.append(home.pop(attempt.candidate_number))

    def report(self, what: str, which: int) -> None:
        """Tell what became of one of those to whom it can happen."""
        homes = {"connected": self.dialling, "activated": self.activating, "refused": self.activating}
        able = homes.get(what, {**self.dialling, **self.arrived, **self.activating})
        if not able:
            return
        attempt = list(able.values())[which % len(able)]
        if what == "connected":
            self.arrived[attempt.candidate_number] = self.dialling.pop(attempt.candidate_number)
        else:
            self._end(attempt)
        getattr(self.scheduler, what)(attempt, self.now)
        self.watch()

    def happen(self, what: str, detail: Any) -> None:
        before = self.scheduler.state
        over = before in ENDINGS or self.abandoned
        match what:
            case "late":
                if self.ended:
                    getattr(self.scheduler, detail[0])(self.ended[detail[1] % len(self.ended)], self.now)
            case "again":
                if through := [*self.arrived.values(), *self.activating.values()]:
                    self.scheduler.connected(through[detail % len(through)], self.now)
            case "tick":
                self.now += detail
                self.scheduler.tick(self.now)
            case "wake":
                for _ in range(detail):
                    self.wake()
            case "arrived":
                self.scheduler.arrived([address(name) for name in detail], self.now)
            case "lost":
                self.scheduler.lost(address(detail), self.now)
            case "network":
                self.up = detail
            case "hesitate":
                self.line.hesitate(detail)
            case "abandon":
                self.abandoned = True
                self.scheduler.abandon()
            case _:
                self.report(what, detail)
        self.watch()
        if over:
            assert self.scheduler.state is before
            assert self.scheduler.wake is None

    def wake(self) -> int:
        """Come back when the scheduler wants it, and no earlier than that; return how much is to be done."""
        if self.scheduler.wake is not None:
            self.now = max(self.now, self.scheduler.wake)
            self.scheduler.tick(self.now)
        return self.watch()


def watched(settings: EstablishmentSettings, known: int, favourite: bool, give_up: float) -> Watched:
    line = Line(*NAMES[:known], favourite=favourite)
    return Watched(settings, line, wanted=settings.pool_size, give_up=give_up)


anybody = st.builds(watched, settings_of, st.integers(0, 8), st.booleans(), st.sampled_from([0.0, 20.0]))


@settings(max_examples=300)
@given(anybody, st.lists(inputs, max_size=60))
def test_the_books_are_in_order_whatever_happens(run: Watched, events: list[tuple[str, Any]]) -> None:
    for what, detail in events:
        run.happen(what, detail)


@settings(max_examples=150)
@given(anybody, st.lists(inputs, max_size=30))
def test_nobody_is_woken_for_nothing(run: Watched, events: list[tuple[str, Any]]) -> None:
    """Each tick at `wake` changes something, or the next one is later."""
    for what, detail in events:
        run.happen(what, detail)
    for _ in range(FEW):
        before = run.scheduler.state, run.line.left
        changed = run.wake() > 0 or (run.scheduler.state, run.line.left) != before
        assert changed or run.scheduler.wake is None or run.scheduler.wake > run.now


@settings(max_examples=100)
@given(anybody, st.lists(inputs, max_size=30))
def test_whatever_happened_it_can_still_end_well(run: Watched, events: list[tuple[str, Any]]) -> None:
    """With a network, and servers that let everybody in, there are soon as many tunnels as wanted."""
    for what, detail in events:
        run.happen(what, detail)
    run.up = True
    run.line.names[:] = list("ijklmnopqr")  # known since, and nobody has a tunnel to them
    for _ in range(300):
        if run.scheduler.state in ENDINGS or run.abandoned:
            break
        if run.activating:
            run.report("activated", 0)
        elif run.dialling:
            run.report("connected", 0)
        else:
            run.wake()
    assert run.abandoned or run.scheduler.state in (State.FULL, State.GAVE_UP)
