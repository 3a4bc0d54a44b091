"""Noticing that the machine slept, by clocks that the test sets."""

import asyncio
from dataclasses import dataclass

import pytest

from headrace.client.sleep_watch import SleepWatch

pytestmark = pytest.mark.virtual_time


@dataclass
class Machine:
    """Its interval clock is the loop's; `asleep` is what that one has missed."""

    asleep: float = 50.0

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def boottime(self) -> float:
        return self.monotonic() + self.asleep

    def time(self) -> float:
        raise AssertionError("the date may be set at any moment")


async def test_each_sleep_is_told_once_and_soon() -> None:
    machine, told = Machine(), list[tuple[float, float]]()
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(SleepWatch(machine, lambda slept: told.append((loop.time(), slept))).run())
    await asyncio.sleep(100.5)
    assert told == []
    machine.asleep += 3600
    await asyncio.sleep(10)
    machine.asleep += 60
    await asyncio.sleep(10)
    task.cancel()
    assert told == [(101, 3600), (111, 60)]


async def test_short_ones_add_up() -> None:
    machine, told = Machine(), list[float]()
    task = asyncio.create_task(SleepWatch(machine, told.append).run())
    for _ in range(5):
        await asyncio.sleep(1.5)
        machine.asleep += 0.25
    await asyncio.sleep(2)
    task.cancel()
    assert told == [1.0]
