"""The machine's clocks as everybody here is handed them."""

import time

import pytest

from headrace.base.clock import SYSTEM_CLOCK


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="Linux has this clock")
def test_the_clock_that_does_not_stop_in_sleep_is_the_systems() -> None:
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before <= SYSTEM_CLOCK.boottime() <= time.clock_gettime(time.CLOCK_BOOTTIME)


def test_where_there_is_no_such_clock_the_steady_one_stands_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(time, "CLOCK_BOOTTIME", raising=False)
    before = time.monotonic()
    assert before <= SYSTEM_CLOCK.boottime() <= time.monotonic()
