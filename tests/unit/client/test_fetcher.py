"""The fetch loop on virtual time: when it tries, when it does not, and that pauses vary."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from headrace.base.errors import HeadraceError, NetworkError
from headrace.base.rng import SeededRng
from headrace.client.fetcher import JITTER, RETRY_PERIOD, STALE_PERIOD, Fetcher

pytestmark = pytest.mark.virtual_time


class Scripted:
    """A fetch that takes a second and fails the first `failures` times; notes when it was begun."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.calls: list[tuple[float, int]] = []
        self.errors: list[str] = []

    async def __call__(self, attempt: int) -> None:
        self.calls.append((asyncio.get_running_loop().time(), attempt))
        await asyncio.sleep(1)
        if self.failures:
            self.failures -= 1
            raise NetworkError("no way")

    def failed(self, error: HeadraceError) -> None:
        self.errors.append(str(error))

    @property
    def times(self) -> list[float]:
        return [time for time, _ in self.calls]


class Running:
    """A fetcher whose loop is running."""

    def __init__(self, script: Scripted, seed: int = 1, **periods: float) -> None:
        self.fetcher = Fetcher(script, script.failed, SeededRng(seed), **periods)
        self.task = asyncio.create_task(self.fetcher.run())


@pytest_asyncio.fixture(autouse=True)
async def ended() -> AsyncIterator[None]:
    yield
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


async def test_nothing_is_fetched_until_it_is_wanted() -> None:
    script = Scripted()
    running = Running(script)
    await asyncio.sleep(24 * 3600)
    assert script.calls == []
    running.fetcher.want()
    await asyncio.sleep(10)
    assert script.calls == [(24 * 3600, 0)]


async def test_attempts_go_on_until_one_succeeds_with_pauses_that_vary() -> None:
    script = Scripted(failures=5)
    Running(script).fetcher.want()
    await asyncio.sleep(3600)
    assert [attempt for _, attempt in script.calls] == [0, 1, 2, 3, 4, 5]
    assert script.errors == ["no way"] * 5
    pauses = [later - earlier - 1 for earlier, later in zip(script.times, script.times[1:], strict=False)]
    assert len({round(pause, 3) for pause in pauses}) == 5
    assert all(abs(pause - RETRY_PERIOD) <= RETRY_PERIOD * JITTER for pause in pauses)


async def test_what_was_fetched_lately_is_not_fetched_again() -> None:
    script = Scripted()
    running = Running(script)
    for _ in range(13):
        running.fetcher.want()
        await asyncio.sleep(3600)
    assert script.times == pytest.approx([0, STALE_PERIOD + 3600, 2 * STALE_PERIOD + 2 * 3600][:2])


async def test_a_new_reason_fetches_however_fresh_all_is() -> None:
    script = Scripted()
    running = Running(script)
    running.fetcher.want()
    await asyncio.sleep(60)
    running.fetcher.want(anew=True)
    await asyncio.sleep(60)
    running.fetcher.want()
    await asyncio.sleep(60)
    assert script.times == [0, 60]


async def test_a_wish_during_a_fetch_is_granted_by_it_but_a_new_reason_is_not() -> None:
    script = Scripted()
    running = Running(script, stale_period=0)
    running.fetcher.want()
    await asyncio.sleep(0.5)
    running.fetcher.want()
    await asyncio.sleep(60)
    assert script.times == [0]
    running.fetcher.want()
    await asyncio.sleep(0.5)
    running.fetcher.want(anew=True)
    await asyncio.sleep(60)
    assert script.times == pytest.approx([0, 60.5, 61.5])


async def test_cancelled_amid_an_attempt() -> None:
    running = Running(Scripted())
    running.fetcher.want()
    await asyncio.sleep(0.5)
    running.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running.task
