"""What the verdicts say of results that are known: they flag what they must, and nothing else."""

from collections.abc import Callable, Sequence

import pytest

from headrace.base.rng import Rng, SeededRng
from headrace.resist.probes.kinds import LENGTHS, TIMED
from headrace.resist.probes.probe import Ending, Probe, ProbeResult, Then
from headrace.resist.probes.verdicts import ALPHA, gave_itself_away, rows, same_times, step_in_times

LIMIT = 60.0


def result(
    kind: str = "P1",
    size: int = 10,
    *,
    received: int = 0,
    ending: Ending = Ending.FIN,
    seconds: float = LIMIT,
    then: Then = Then.STAY,
    knows: bool = False,
) -> ProbeResult:
    probe = Probe(kind, "", (bytes(size),), then=then, knows=knows)
    return ProbeResult(probe, received, ending, seconds)


def results(seconds: Callable[[str, int, Rng], float], seed: int = 1) -> Sequence[ProbeResult]:
    rng = SeededRng(seed)
    random = [result("P1", size, seconds=seconds("P1", size, rng)) for size in LENGTHS for _ in range(5)]
    others = [result(kind, 10, seconds=seconds(kind, 10, rng)) for kind in TIMED[1:] for _ in range(200)]
    return random + others


def alike(kind: str, size: int, rng: Rng) -> float:
    return LIMIT + rng.uniform()


@pytest.mark.parametrize(
    ("what", "flagged"),
    [
        (result(), False),
        (result(received=1), True),
        (result(received=1, knows=True), False),
        (result(ending=Ending.RST), True),
        (result(ending=Ending.RST, knows=True), True),
        (result(ending=Ending.NONE), True),
        (result(ending=Ending.NONE, then=Then.RESET), False),
    ],
)
def test_what_gives_a_server_away(what: ProbeResult, flagged: bool) -> None:
    assert gave_itself_away(what) is flagged


@pytest.mark.parametrize("seed", range(5))
def test_times_that_are_alike(seed: int) -> None:
    drawn = results(alike, seed)
    assert same_times(drawn) > ALPHA
    assert step_in_times(drawn).p > ALPHA


@pytest.mark.parametrize("kind", TIMED)
def test_a_class_that_ends_a_little_sooner(kind: str) -> None:
    drawn = results(lambda each, size, rng: alike(each, size, rng) - 0.2 * (each == kind))
    assert same_times(drawn) < ALPHA


@pytest.mark.parametrize("length", [8, 24, 50, 128, 4000])
def test_a_length_from_which_it_ends_sooner(length: int) -> None:
    drawn = results(lambda kind, size, rng: alike(kind, size, rng) - 0.5 * (size >= length))
    step = step_in_times(drawn)
    assert step.p < ALPHA
    expected = next(place for place, size in enumerate(LENGTHS) if size >= length)
    assert abs(LENGTHS.index(step.length) - expected) <= 2


def test_times_that_have_no_jitter_at_all() -> None:
    assert step_in_times(results(lambda kind, size, rng: LIMIT)).p == 1
    assert step_in_times(results(lambda kind, size, rng: LIMIT - (size >= 50))).p < ALPHA


def test_too_few_say_nothing() -> None:
    assert same_times([result()]) == 1
    assert step_in_times([result()]).p == 1
    naive = results(lambda kind, size, rng: 0.01 if size >= 50 else LIMIT)
    table = rows([result(size=size) for size in range(1, 20)], control=naive)
    assert [(row.detector, row.ran) for row in table] == [("P1", False), ("P1 lengths", False)]


def test_rows_of_a_silent_server() -> None:
    naive = results(lambda kind, size, rng: 0.01 if size >= 50 else alike(kind, size, rng))
    told = [result(received=20), *naive]
    table = rows(results(alike), control=told, seed=7)
    assert [row.detector for row in table] == [*TIMED, "P times", "P1 lengths"]
    assert all(row.met and row.control_ok and row.ran and row.seed == 7 for row in table)


def test_rows_without_a_control_are_not_run() -> None:
    assert not any(row.ran for row in rows(results(alike), control=results(alike, seed=2)))


def test_rows_of_a_server_that_gives_itself_away() -> None:
    naive = [result(received=20), *results(lambda kind, size, rng: 0.01 if size >= 50 else LIMIT)]
    met = {row.detector: row.met for row in rows(naive, control=naive)}
    assert not (met["P1"] or met["P times"] or met["P1 lengths"])
    assert met["P2"]
