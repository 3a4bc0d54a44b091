"""Rate limits against the clock."""

import pytest

from headrace.server.throttle import Throttle


def transfer(throttle: Throttle, total: int, piece: int, now: float = 0.0) -> float:
    """Pass `total` bytes, waiting as told; return the time at the end."""
    while total > 0:
        size = min(piece, total)
        now += throttle.delay_after(size, now)
        total -= size
    return now


def test_no_rate_is_no_limit() -> None:
    throttle = Throttle(0, 0)
    assert all(throttle.delay_after(1 << 30, float(now)) == 0 for now in range(10))


@pytest.mark.parametrize("piece", [1, 100, 1000, 32_768])
def test_the_average_is_the_rate_whatever_the_pieces(piece: int) -> None:
    assert transfer(Throttle(0, 1000), 50_000, piece) == pytest.approx(50.0)


@pytest.mark.parametrize("piece", [1, 7, 1000, 32_768])
def test_the_allowance_is_free(piece: int) -> None:
    assert transfer(Throttle(10_000, 1000), 10_000, piece) == 0
    assert transfer(Throttle(10_000, 1000), 12_000, piece) == pytest.approx(2.0)


def test_the_allowance_comes_once() -> None:
    throttle = Throttle(1000, 100)
    assert not throttle.exhausted
    assert throttle.delay_after(1000, 0.0) == 0
    assert throttle.exhausted
    assert throttle.delay_after(100, 1_000_000.0) == pytest.approx(1.0)


def test_idle_time_is_not_saved_up() -> None:
    throttle = Throttle(0, 1000)
    assert throttle.delay_after(1000, 0.0) == pytest.approx(1.0)
    assert throttle.delay_after(1000, 500.0) == pytest.approx(1.0)


def test_who_does_not_wait_owes_more() -> None:
    throttle = Throttle(0, 1000)
    assert throttle.delay_after(1000, 0.0) == pytest.approx(1.0)
    assert throttle.delay_after(1000, 0.5) == pytest.approx(1.5)


def test_nothing_sent_owes_no_more() -> None:
    throttle = Throttle(0, 1000)
    throttle.delay_after(1000, 0.0)
    assert throttle.delay_after(0, 0.25) == pytest.approx(0.75)
    assert throttle.delay_after(0, 2.0) == 0


def test_the_allowance_is_counted_without_a_rate() -> None:
    throttle = Throttle(1000, 0)
    assert throttle.delay_after(999, 0.0) == 0
    assert not throttle.exhausted
    assert throttle.delay_after(999, 0.0) == 0
    assert throttle.exhausted
