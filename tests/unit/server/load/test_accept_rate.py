"""The bucket: a second's worth at once, then as fast as it fills."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.server.load.accept_rate import AcceptRate


def taken(rate: AcceptRate, now: float) -> int:
    """Take as many as there are; return how many."""
    count = 0
    while not rate.wait(now):
        rate.taken()
        count += 1
    return count


def test_zero_is_no_limit() -> None:
    rate = AcceptRate(0)
    for _ in range(1000):
        assert rate.wait(5.0) == 0
        rate.taken()


def test_a_burst_of_a_second_then_the_rate() -> None:
    rate = AcceptRate(50)
    assert taken(rate, 10.0) == 50
    assert rate.wait(10.0) == pytest.approx(0.02)
    assert rate.wait(10.01) == pytest.approx(0.01)
    assert taken(rate, 10.1001) == 5
    assert taken(rate, 1000.0) == 50  # what nobody came for is not saved up


def test_less_than_one_a_second() -> None:
    rate = AcceptRate(0.1)
    assert taken(rate, 0.0) == 1
    assert rate.wait(0.0) == pytest.approx(10)
    assert taken(rate, 9.9) == 0
    assert taken(rate, 10.1) == 1


@given(st.floats(0.5, 500), st.lists(st.floats(0, 5), max_size=50))
def test_never_more_than_the_rate_and_one_burst(per_second: float, pauses: list[float]) -> None:
    rate, now, count = AcceptRate(per_second), 0.0, 0
    for pause in pauses:
        now += pause
        count += taken(rate, now)
    assert count <= max(1.0, per_second) + now * per_second + 1e-6
