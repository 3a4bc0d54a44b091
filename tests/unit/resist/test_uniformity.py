"""F3's measures: how often they fail on randomness, and what each of them finds."""

import pytest
from scipy import stats

from headrace.base.rng import SeededRng
from headrace.resist.uniformity import FLAWS, MEASURES, flawed_streams, judge_flaws, judge_streams

COUNT, SIZE = 300, 5000


def random_streams(seed: int, count: int = COUNT, size: int = SIZE) -> list[bytes]:
    rng = SeededRng(seed)
    return [rng.bytes(size) for _ in range(count)]


def test_randomness_passes() -> None:
    measures = judge_streams(random_streams(7), rng=SeededRng(8))
    assert [measure for measure in measures if not measure.met] == []
    lags = ["lag 1", "lag 2", "lag 4", "lag 8", "lag 16"]
    names = [measure.name for measure in measures]
    assert names == ["pooled", "each", "offsets", "bits", *lags, "repeats", "learner"]
    assert len(names) == MEASURES


def test_on_randomness_each_measure_fails_as_often_as_its_level_says() -> None:
    level, runs = 0.1, 30
    failures: dict[str, int] = {}
    for run in range(runs):
        streams = random_streams(run, 200, 4096)
        for measure in judge_streams(streams, level=level, rng=SeededRng(run), learn=False):
            failures[measure.name] = failures.get(measure.name, 0) + (not measure.met)
    most = stats.binom.isf(0.0001, runs, level)
    assert {name: count for name, count in failures.items() if count > most} == {}
    assert sum(failures.values()) >= runs * level * 2  # nine measures: they are not asleep, either
    assert failures["repeats"] == 0


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_flaw_is_found_by_the_measures_for_it(flaw: str) -> None:
    _, finders = FLAWS[flaw]
    measures = judge_streams(
        flawed_streams(flaw, COUNT, SIZE, 1), level=1e-5, rng=SeededRng(2), learn="learner" in finders
    )
    assert finders <= {measure.name for measure in measures if not measure.met}


def test_all_flaws_are_found_at_the_level_of_the_suite() -> None:
    assert judge_flaws(COUNT, SIZE, level=1e-5) == ()


def test_a_string_that_two_streams_share_is_found_whatever_its_offset() -> None:
    streams = random_streams(3, 20)
    streams[4] = streams[4][:1001] + b"8 bytes." + streams[4][1001:]
    streams[9] = b"8 bytes." + streams[9]
    repeats = next(m for m in judge_streams(streams, learn=False) if m.name == "repeats")
    assert not repeats.met
    assert repeats.detail.startswith("1 in ")


def test_the_second_byte_of_rc4_is_found_given_enough_connections() -> None:
    # Twice as often zero as by chance: what each of 60,000 connections with a fixed second byte would show.
    rng = SeededRng(5)
    streams = [rng.bytes(1) + (b"\0" if rng.chance(1 / 256) else rng.bytes(1)) for _ in range(60_000)]
    streams.append(rng.bytes(1280))
    offsets = next(m for m in judge_streams(streams, learn=False) if m.name == "offsets")
    assert not offsets.met


def test_streams_that_are_all_too_short_are_an_error() -> None:
    with pytest.raises(ValueError, match="1280 bytes"):
        judge_streams([bytes(1279)] * 10)
