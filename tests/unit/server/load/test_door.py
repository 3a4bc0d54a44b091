"""A worker's door: every reason to shut it counts, and it opens when the last is gone."""

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest
from tests.memory_network import settle

from headrace.net.listener import RELIEF, Listener
from headrace.server.load.accept_rate import AcceptRate
from headrace.server.load.descriptors import Descriptors
from headrace.server.load.door import DESCRIPTORS, PORT, Door

pytestmark = pytest.mark.virtual_time
LOOPBACK = "127.0.0.1"


class Budget(Descriptors):
    """What the test says of descriptors."""

    no_more = False

    def spent(self) -> bool:
        return self.no_more

    def relieved(self) -> bool:
        return not self.no_more


class House:
    """A door with one listener, on which whoever comes is let in."""

    def __init__(self, rate: float = 0) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        self.budget = Budget(1000)
        self.counts: Counter[str] = Counter()
        self.door = Door(AcceptRate(rate), self.budget, self.counts)
        self.listener = Listener(
            asyncio.Protocol, (LOOPBACK,), 0, what="OSSH", keeper=self.door, spawn=self._spawn
        )
        self.door.listeners.append(self.listener)
        self.listener.open()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(work))

    async def leave(self) -> None:
        self.door.close()
        await asyncio.gather(*self._tasks)
        await settle()

    @property
    def open(self) -> bool:
        with socket.socket() as visitor:
            return visitor.connect_ex((LOOPBACK, self.listener.port)) == 0


@pytest.fixture
async def house() -> AsyncIterator[House]:
    here = House()
    yield here
    await here.leave()


async def test_it_opens_when_the_last_reason_is_gone(house: House) -> None:
    assert house.open
    house.door.pause("operator")
    house.door.pause("memory")
    house.door.pause("memory")
    assert not house.open
    house.door.resume("memory")
    house.door.resume("load")  # which it never was
    assert not house.open
    assert house.door.reasons == {"operator"}
    house.door.resume("operator")
    assert house.open
    assert house.counts == {"paused.operator": 1, "paused.memory": 1}


async def test_without_descriptors_it_shuts_and_looks_again(house: House) -> None:
    house.budget.no_more = True
    assert house.door.wait() == RELIEF
    await asyncio.sleep(0)
    assert house.door.reasons == {DESCRIPTORS}
    house.door.look()
    assert not house.open
    house.budget.no_more = False
    house.door.look()
    assert house.open
    assert house.counts == {"paused.descriptors": 1}


async def test_a_port_taken_meanwhile_is_told_and_tried_again(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.door.pause("operator")
    with socket.create_server((LOOPBACK, house.listener.port)), caplog.at_level(logging.ERROR):
        house.door.resume("operator")
        house.door.look()
        assert house.door.reasons == {PORT}
    (record,) = caplog.records
    assert f"OSSH cannot listen on port {house.listener.port}" in vars(record)["reason"]
    assert house.counts == {"paused.operator": 1, "paused.port": 1}
    house.door.look()  # nobody says again that the operator has no objections
    assert house.open
    assert not house.door.reasons


async def test_with_one_port_of_two_it_is_shut(house: House) -> None:
    second = Listener(asyncio.Protocol, (LOOPBACK,), 0, what="SSH", keeper=house.door, spawn=house._spawn)
    house.door.listeners.append(second)
    second.open()
    house.door.pause("load")
    with socket.create_server((LOOPBACK, second.port)):
        house.door.resume("load")
        assert not house.open
    house.door.look()
    assert house.open


async def test_what_is_closed_for_good_stays_so(house: House) -> None:
    house.door.pause("operator")
    house.door.close()
    house.door.resume("operator")
    assert not house.open


async def test_the_rate_goes_by_the_loops_clock() -> None:
    house = House(rate=10)
    for _ in range(10):
        assert house.door.wait() == 0
        house.door.taken()
    assert house.door.wait() == pytest.approx(0.1)
    await asyncio.sleep(0.11)
    assert house.door.wait() == 0
    await house.leave()
