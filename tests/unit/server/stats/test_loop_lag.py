import asyncio

import pytest

from headrace.server.stats.loop_lag import KEPT, LoopLag

pytestmark = pytest.mark.virtual_time


async def test_the_longest_delay_of_the_last_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    lag = LoopLag()
    assert lag.longest == 0.0
    delays = iter([0.0, 0.25, 0.125, *[0.0] * (KEPT + 5)])
    real = asyncio.sleep
    monkeypatch.setattr("headrace.server.stats.loop_lag.asyncio.sleep", lambda due: real(due + next(delays)))
    watching = asyncio.create_task(lag.watch())
    await real(5)
    assert lag.longest == pytest.approx(0.25)
    await real(KEPT)
    assert lag.longest == pytest.approx(0.0)
    watching.cancel()
