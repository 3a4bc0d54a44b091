"""The scheduler, step by step and in whole establishments: who is dialled when, kept, and dropped."""

from typing import Any

import pytest
from tests.unit.establishment.line import Line, address

from headrace.base.rng import SeededRng
from headrace.establishment.dial_parameters import DialParameters
from headrace.establishment.policy import Collect, FirstReady
from headrace.establishment.scheduler import (
    STANDS_ASIDE_AFTER,
    Action,
    Activate,
    Dial,
    Drop,
    NewRound,
    Scheduler,
    WantServers,
)
from headrace.establishment.settings import EstablishmentSettings
from headrace.establishment.states import State
from headrace.testing.establishments import Fate, play


class Driver:
    """A scheduler in the test's hands: names in, actions out."""

    def __init__(self, line: Line, *, wanted: int = 1, give_up: float = 0.0, **settings: Any) -> None:
        self.up = True
        self.attempts: dict[str, DialParameters] = {}
        self.scheduler = Scheduler(
            EstablishmentSettings(jitter=0.0, **settings), line, SeededRng(1), network_up=lambda _: self.up
        )
        self.scheduler.begin(0.0, wanted=wanted, give_up=give_up)

    def actions(self) -> list[str]:
        """Return what is to be done, in words."""
        return [self._word(action) for action in self.scheduler.take_actions()]

    def _word(self, action: Action) -> str:
        match action:
            case Dial(parameters):
                self.attempts[name_of(parameters)] = parameters
                return f"dial {name_of(parameters)}"
            case Activate(parameters):
                return f"activate {name_of(parameters)}"
            case Drop(parameters, outrun):
                return f"drop {name_of(parameters)}" + (", outrun" if outrun else "")
            case WantServers():
                return "want servers"
            case NewRound(number):
                return f"round {number}"

    def tell(self, what: str, name: str, now: float) -> list[str]:
        """Tell what became of the latest attempt at `name`; return what follows."""
        getattr(self.scheduler, what)(self.attempts[name], now)
        return self.actions()

    def tick(self, now: float) -> list[str]:
        self.scheduler.tick(now)
        return self.actions()

    @property
    def state(self) -> State:
        return self.scheduler.state

    @property
    def wake(self) -> float | None:
        return self.scheduler.wake


def name_of(parameters: DialParameters) -> str:
    return chr(int(parameters.host.rpartition(".")[2]) - 1 + ord("a"))


# ---- dialling ---------------------------------------------------------------------------------------------


def test_as_many_are_dialled_at_once_as_there_are_workers() -> None:
    driver = Driver(Line("a", "b", "c", "d"), workers=2)
    assert driver.actions() == ["round 0", "dial a", "dial b"]
    assert driver.tell("failed", "a", 1.0) == ["dial c"]
    assert driver.tell("failed", "c", 2.0) == ["dial d"]
    assert driver.scheduler.dials == 2


def test_starts_are_staggered() -> None:
    driver = Driver(Line("a", "b", "c"), stagger=0.5)
    assert driver.actions() == ["round 0", "dial a"]
    assert driver.wake == 0.5
    assert driver.tick(0.4) == []
    assert driver.tick(0.5) == ["dial b"]
    assert driver.tick(1.0) == ["dial c"]


def test_the_next_round_begins_after_a_pause() -> None:
    driver = Driver(Line("a"), pause=2.0)
    driver.actions()
    assert driver.state is State.PAUSING
    driver.tell("failed", "a", 1.0)
    assert driver.wake == 2.0
    assert driver.tick(2.0) == ["round 1", "dial a"]


def test_a_server_is_dialled_once_at_a_time_and_that_counts_as_the_same_round() -> None:
    line = Line("a")
    driver = Driver(line, pause=2.0)
    driver.actions()
    assert [driver.tick(at) for at in (2.0, 4.0, 6.0)] == [["round 1"], [], []]
    assert line.rounds[:2] == [True, False]
    driver.tell("failed", "a", 7.0)
    assert driver.tick(8.0) == ["dial a"]
    assert driver.scheduler.take_actions() == []


def test_patience_grows_with_the_rounds_up_to_the_longest_dial() -> None:
    driver = Driver(Line("a"), patience=4.0, connect_timeout=10.0)
    waits, now = [], 0.0
    for _ in range(4):
        dials = [action for action in driver.scheduler.take_actions() if isinstance(action, Dial)]
        waits += [dial.patience for dial in dials]
        driver.scheduler.failed(dials[0].attempt, now)
        now = driver.wake or 0.0
        driver.scheduler.tick(now)
    assert waits == [4.0, 8.0, 10.0, 10.0]


def test_a_round_that_takes_long_ends_and_more_servers_are_wanted_meanwhile() -> None:
    driver = Driver(Line("a", "b", "c"), workers=1, work_time=60.0, pause=2.0)
    assert driver.actions() == ["round 0", "dial a"]
    assert driver.wake == 60.0
    assert driver.tick(60.0) == ["want servers"]
    assert driver.tell("failed", "a", 61.0) == []
    assert driver.state is State.PAUSING
    assert driver.tick(63.0) == ["round 1", "dial a"]
    assert driver.tick(120.0) == ["want servers"]


def test_with_nobody_known_more_servers_are_wanted_at_once() -> None:
    driver = Driver(Line())
    assert driver.actions() == ["round 0", "want servers"]
    assert driver.tick(2.0) == ["want servers"]


def test_whoever_has_nothing_at_hand_is_asked_again_at_once() -> None:
    line = Line("a")
    line.hesitate(1)
    driver = Driver(line)
    assert driver.actions() == ["round 0"]
    assert driver.wake == 0.0
    assert driver.tick(0.0) == ["dial a"]


# ---- the favourite ----------------------------------------------------------------------------------------


def test_the_favourite_is_alone_until_its_time_is_over() -> None:
    driver = Driver(Line("a", "b", favourite=True), policy=FirstReady(1.0))
    assert driver.actions() == ["round 0", "dial a"]
    assert (driver.state, driver.wake) == (State.HEAD_START, 1.0)
    assert driver.tick(1.0) == ["dial b"]


def test_the_favourite_is_alone_until_it_fails() -> None:
    driver = Driver(Line("a", "b", favourite=True), policy=FirstReady(1.0))
    driver.actions()
    assert driver.tell("failed", "a", 0.2) == ["dial b"]


def test_a_pool_of_tunnels_has_no_favourite() -> None:
    driver = Driver(Line("a", "b", favourite=True), pool_size=2, wanted=2)
    assert driver.actions() == ["round 0", "dial a", "dial b"]


# ---- keeping the best -------------------------------------------------------------------------------------


def test_the_first_is_kept_and_the_others_are_dropped_once_its_handshake_is_through() -> None:
    driver = Driver(Line("a", "b", "c", "d"), workers=3)
    driver.actions()
    assert driver.tell("connected", "b", 0.3) == ["activate b"]
    assert driver.state is State.HOLDING
    assert driver.tell("failed", "a", 0.4) == []  # nobody in its place
    assert driver.tell("activated", "b", 0.5) == ["drop c, outrun"]
    assert (driver.state, driver.wake) == (State.FULL, None)


def test_who_comes_second_takes_over_when_the_handshake_of_the_first_fails() -> None:
    driver = Driver(Line("a", "b", "c"), workers=2)
    driver.actions()
    driver.tell("connected", "a", 0.3)
    assert driver.tell("connected", "b", 0.4) == []
    assert driver.tell("refused", "a", 5.0) == ["activate b"]
    assert driver.tell("activated", "b", 5.1) == []
    assert driver.state is State.FULL


def test_a_handshake_that_takes_long_holds_up_nobody() -> None:
    driver = Driver(Line("a", "b", "c"), workers=2, handshake_hold=2.0)
    driver.actions()
    driver.tell("connected", "a", 0.5)
    assert driver.tick(2.5) == ["dial c"]
    assert driver.tell("connected", "b", 3.0) == ["activate b"]
    assert driver.tell("activated", "a", 3.5) == ["drop b, outrun", "drop c, outrun"]
    assert driver.state is State.FULL


def test_dialling_goes_on_when_all_handshakes_fail() -> None:
    driver = Driver(Line("a", "b", "c"), workers=2)
    driver.actions()
    driver.tell("connected", "a", 0.3)
    assert driver.tell("refused", "a", 1.0) == ["dial c"]
    assert driver.state is State.DIALLING


def test_one_that_is_lost_while_it_waits_is_forgotten() -> None:
    driver = Driver(Line("a", "b"))
    driver.actions()
    driver.tell("connected", "a", 0.3)
    driver.tell("connected", "b", 0.4)
    driver.tell("failed", "b", 0.5)
    assert driver.tell("activated", "a", 0.6) == []


def test_collecting_waits_a_moment_and_keeps_the_quickest() -> None:
    driver = Driver(Line("a", "b", "c"), stagger=0.05, policy=Collect(window=0.1))
    driver.actions()
    driver.tick(0.05), driver.tick(0.1)
    assert driver.tell("connected", "a", 0.50) == []
    assert driver.wake == pytest.approx(0.6)
    assert driver.tell("connected", "c", 0.55) == []
    assert driver.tick(0.6) == ["activate c"]


def test_who_is_said_to_be_through_twice_arrived_the_first_time() -> None:
    driver = Driver(Line("a"), policy=Collect(window=0.1))
    driver.actions()
    driver.tell("connected", "a", 0.5)
    assert driver.tell("connected", "a", 0.55) == []
    assert driver.wake == 0.6
    assert driver.tick(0.6) == ["activate a"]
    assert driver.tell("connected", "a", 0.7) == []


def test_collecting_prefers_the_server_used_last() -> None:
    driver = Driver(Line("a", "b", favourite=True), policy=Collect(window=0.1))
    assert driver.actions() == ["round 0", "dial a", "dial b"]  # at once: it has no head start
    driver.tell("connected", "b", 0.2)
    driver.tell("connected", "a", 0.25)
    assert driver.tick(0.31) == ["activate a"]


def test_a_pool_is_filled_one_handshake_after_the_other() -> None:
    driver = Driver(Line("a", "b", "c", "d"), workers=2, pool_size=2, wanted=2)
    driver.actions()
    assert driver.tell("connected", "a", 0.3) == ["activate a", "dial c"]
    assert driver.tell("connected", "b", 0.4) == []
    assert driver.tell("activated", "a", 0.5) == ["activate b"]
    assert driver.tell("activated", "b", 0.6) == ["drop c, outrun"]
    assert driver.state is State.FULL


def test_a_tunnel_lost_while_the_pool_fills_is_replaced() -> None:
    driver = Driver(Line("a", "b", "c"), workers=2, pool_size=2, wanted=2)
    driver.actions()
    driver.tell("connected", "a", 0.3)
    driver.tell("activated", "a", 0.4)
    driver.scheduler.lost(address("a"), 1.0)
    driver.tell("connected", "b", 1.1)
    driver.tell("activated", "b", 1.2)
    assert driver.state is not State.FULL


def test_servers_that_have_a_tunnel_are_not_dialled() -> None:
    scheduler = Scheduler(EstablishmentSettings(), Line("a", "b"), SeededRng(1))
    scheduler.begin(0.0, active=[address("a")])
    dialled = [action.attempt for action in scheduler.take_actions() if isinstance(action, Dial)]
    assert [name_of(parameters) for parameters in dialled] == ["b"]


# ---- newcomers --------------------------------------------------------------------------------------------


def test_newcomers_are_tried_before_the_rest_of_the_round() -> None:
    driver = Driver(Line("a", "b", "c"), workers=1)
    driver.actions()
    driver.scheduler.arrived([address("z")], 0.5)
    assert driver.actions() == []
    assert driver.tell("failed", "a", 0.6) == ["dial z"]
    assert driver.tell("failed", "z", 0.7) == ["dial b"]


def test_newcomers_cut_a_pause_short() -> None:
    driver = Driver(Line("a"), pause=2.0)
    driver.actions()
    driver.tell("failed", "a", 0.1)
    driver.scheduler.arrived([address("z")], 0.5)
    assert driver.actions() == ["dial z"]
    assert driver.wake == 2.5


def test_old_dials_stand_aside_for_newcomers_but_for_half_of_them() -> None:
    driver = Driver(Line("a", "b", "c", "d", "e"), workers=4)
    driver.actions()
    driver.scheduler.arrived([address("x"), address("y"), address("z")], STANDS_ASIDE_AFTER)
    assert driver.actions() == ["drop a", "drop b", "dial x", "dial y"]


def test_dials_just_begun_do_not_stand_aside() -> None:
    driver = Driver(Line("a", "b"), workers=2)
    driver.actions()
    driver.scheduler.arrived([address("z")], STANDS_ASIDE_AFTER / 2)
    assert driver.actions() == []


# ---- time and network -------------------------------------------------------------------------------------


def test_giving_up() -> None:
    driver = Driver(Line("a", "b"), workers=2, give_up=30.0)
    driver.actions()
    assert driver.wake == 30.0
    assert driver.tick(30.0) == ["drop a", "drop b"]
    assert driver.state is State.GAVE_UP


def test_without_a_network_nobody_is_dialled_and_no_time_passes() -> None:
    driver = Driver(Line("a", "b", "c"), workers=1, give_up=30.0, work_time=20.0)
    driver.actions()
    driver.up = False
    assert driver.tell("failed", "a", 10.0) == []
    assert (driver.state, driver.wake) == (State.OFFLINE, 11.0)
    assert driver.tick(500.0) == []
    driver.up = True
    assert driver.tick(510.0) == ["dial b"]
    assert driver.wake == 520.0  # 20 seconds of work
    assert driver.tick(520.0) == ["want servers"]
    assert driver.tick(530.0) == ["drop b"]
    assert driver.state is State.GAVE_UP


def test_abandoning_drops_everything() -> None:
    driver = Driver(Line("a", "b"))
    driver.actions()
    driver.tell("connected", "a", 0.1)
    driver.scheduler.abandon()
    assert driver.actions() == ["drop a", "drop b"]
    assert (driver.state, driver.wake) == (State.ABANDONED, None)


def test_what_comes_after_the_end_changes_nothing() -> None:
    driver = Driver(Line("a", "b", "c"), workers=2)
    driver.actions()
    driver.scheduler.abandon()
    driver.actions()
    driver.scheduler.arrived([address("z")], 0.2)
    driver.scheduler.lost(address("c"), 0.3)
    assert driver.actions() == []
    assert driver.tell("connected", "a", 0.4) == []
    assert driver.tick(100.0) == []
    driver.scheduler.abandon()
    assert driver.actions() == []
    assert (driver.state, driver.wake) == (State.ABANDONED, None)


def test_who_is_through_after_a_long_absence_is_not_too_late() -> None:
    driver = Driver(Line("a", "b", "c"), workers=2, give_up=30.0, work_time=20.0)
    driver.actions()
    driver.up = False
    driver.tell("failed", "a", 10.0)
    assert driver.wake == 11.0  # to look whether the network is back
    assert driver.tell("connected", "b", 500.0) == ["activate b"]
    assert driver.tick(500.1) == []
    assert driver.wake == 502.0  # until when the handshake is waited for
    assert driver.tell("activated", "b", 501.0) == []
    assert driver.state is State.FULL


# ---- played through ---------------------------------------------------------------------------------------


def test_the_fastest_of_many_is_kept() -> None:
    """Ten servers from 50 to 500 ms, three silent, two resetting (client spec §1.15 a)."""
    fates = {address(name): Fate(0.05 * (place + 1), works=True) for place, name in enumerate("abcdefghij")}
    fates |= {address(name): Fate(0.0, silent=True) for name in "klm"}
    fates |= {address(name): Fate(0.01) for name in "no"}
    scheduler = Scheduler(EstablishmentSettings(workers=15), Line(*"onmlkjihgfedcba"), SeededRng(1))
    outcome = play(scheduler, fates.__getitem__)
    assert [name_of(parameters) for parameters in outcome.connected] == ["a"]
    assert outcome.seconds == pytest.approx(0.05 + 0.1)


@pytest.mark.parametrize(("took", "winner"), [(0.8, "a"), (1.5, "b")])
def test_the_favourite_wins_within_its_head_start(took: float, winner: str) -> None:
    """An affinity server at 0.8 s wins against others at 0.1 s, one at 1.5 s does not (§1.15 b)."""
    fates = {address("a"): Fate(took, works=True), address("b"): Fate(0.1, works=True)}
    scheduler = Scheduler(EstablishmentSettings(), Line("a", "b", favourite=True), SeededRng(1))
    outcome = play(scheduler, fates.__getitem__)
    assert [name_of(parameters) for parameters in outcome.connected] == [winner]


def test_a_slow_server_is_reached_in_a_later_round() -> None:
    fates = {address("a"): Fate(9.0, works=True)}
    scheduler = Scheduler(EstablishmentSettings(patience=4.0), Line("a"), SeededRng(1))
    outcome = play(scheduler, fates.__getitem__)
    assert outcome.state is State.FULL
    assert len(outcome.dialled) == 3


def test_with_everybody_blocked_it_goes_on_and_wants_servers_every_minute() -> None:
    fates = {address(name): Fate(0.1) for name in "abc"}
    scheduler = Scheduler(EstablishmentSettings(), Line(*"abc"), SeededRng(1))
    outcome = play(scheduler, fates.__getitem__, until=600.0)
    assert outcome.state is not State.FULL
    assert len(outcome.wanted_servers) == 10
    assert outcome.rounds > 200
