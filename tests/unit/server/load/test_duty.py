"""The load limiter at work: what it has the supervisor do, and when."""

import asyncio
from typing import Any, cast

import pytest

from headrace.documents.load_limits import LoadLimits
from headrace.server.load.duty import AVERAGED, load_duty
from headrace.server.load.limiter import PERIOD
from headrace.server.load.readings import Machine, Readings
from headrace.server.stats.snapshot import Snapshot

pytestmark = pytest.mark.virtual_time


class Busy(Machine):
    """A machine as busy as the test says."""

    readings = Readings()

    def read(self, now: float) -> Readings:
        return self.readings


class Supervisor:
    """Notes what is ordered. It stands for the service as well."""

    def __init__(self) -> None:
        self.figures = Snapshot()
        self.orders: list[tuple[float, str, str]] = []

    @property
    def supervisor(self) -> "Supervisor":
        return self

    async def snapshot(self) -> Snapshot:
        return self.figures

    def pause(self, reason: str) -> None:
        self.orders.append((asyncio.get_running_loop().time(), "pause", reason))

    def resume(self, reason: str) -> None:
        self.orders.append((asyncio.get_running_loop().time(), "resume", reason))


class Rig:
    """The duty, carried out."""

    def __init__(self, limits: LoadLimits) -> None:
        self.machine = Busy()
        self.supervisor = Supervisor()
        work = load_duty(limits, self.machine)(cast("Any", self.supervisor))
        self.task = asyncio.get_running_loop().create_task(work)

    @property
    def orders(self) -> list[tuple[str, str]]:
        return [(what, reason) for _, what, reason in self.supervisor.orders]


async def test_each_reason_is_ordered_once_and_taken_back_once() -> None:
    rig = Rig(LoadLimits(tunnels=100))
    await asyncio.sleep(1)
    rig.supervisor.figures = Snapshot(tunnels={"OSSH/CH/1": 60, "SSH/CH/1": 60}, dialing=200_000)
    await asyncio.sleep(3 * PERIOD)
    assert rig.orders == [("pause", "connecting"), ("pause", "tunnels")]
    rig.supervisor.figures = Snapshot(tunnels={"OSSH/CH/1": 60})
    await asyncio.sleep(3 * PERIOD)
    assert rig.orders[2:] == [("resume", "connecting"), ("resume", "tunnels")]
    assert {moment % PERIOD for moment, _, _ in rig.supervisor.orders} == {0.0}
    rig.task.cancel()


async def test_a_minutes_average_says_nothing_before_there_was_a_minute() -> None:
    rig = Rig(LoadLimits())
    rig.machine.readings = Readings(load_per_core=5.0)
    await asyncio.sleep(AVERAGED - 1)
    assert rig.orders == []
    await asyncio.sleep(2)
    assert rig.orders == [("pause", "load")]
    rig.task.cancel()


async def test_what_it_ordered_is_taken_back_should_it_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(LoadLimits(tunnels=100))
    rig.supervisor.figures = Snapshot(tunnels={"OSSH/CH/1": 120})
    await asyncio.sleep(1)

    def fail(now: float) -> Readings:
        raise ValueError

    monkeypatch.setattr(rig.machine, "read", fail)
    await asyncio.wait([rig.task])
    assert isinstance(rig.task.exception(), ValueError)
    assert rig.orders == [("pause", "tunnels"), ("resume", "tunnels")]
