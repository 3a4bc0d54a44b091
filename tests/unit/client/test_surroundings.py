"""Whole runs of the client in surroundings that change, and with several tunnels; on virtual time."""

import asyncio
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.memory_network import HANGS, MemoryServer, Network, client_config, settle

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.errors import NetworkError
from headrace.base.rng import SeededRng
from headrace.client.controller import Controller
from headrace.client.notices import NoticeOptions, Notices
from headrace.client.phases import Phase
from headrace.client.servers import FixedServers
from headrace.client.surroundings import Surroundings

pytestmark = pytest.mark.virtual_time


class Machine(Surroundings):
    """A machine in the test's hands."""

    def __init__(self, *, up: bool = True) -> None:
        self.identity = "WIFI-home"
        self.up = up
        self.changed: Callable[[], None] = lambda: None
        self.resumed: Callable[[float], None] = lambda slept: None

    def network_id(self) -> str:
        return self.identity

    def network_up(self, host: str) -> bool:
        return self.up

    async def watch(self, network_changed: Callable[[], None], resumed: Callable[[float], None]) -> None:
        self.changed, self.resumed = network_changed, resumed
        await asyncio.Event().wait()


class Run:
    """A client that is running on a machine, and what it tells."""

    def __init__(self, servers: list[MemoryServer], machine: Machine | None = None, **settings: Any) -> None:
        config = client_config(**{"DisableLocalSocksProxy": True, "DisableLocalHTTPProxy": True, **settings})
        self._stream = io.StringIO()
        notices = Notices(self._stream, SYSTEM_CLOCK, NoticeOptions(diagnostics=True))
        known = FixedServers([server.entry for server in servers])
        self.controller = Controller(config, known, notices, SeededRng(4), surroundings=machine or Machine())
        self.task = asyncio.create_task(self.controller.run())

    def told(self, kind: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self._stream.getvalue().splitlines()]
        return [line["data"] for line in lines if line["noticeType"] == kind]

    async def stop(self) -> None:
        self.controller.stop()
        await self.task
        assert self.controller.phase is Phase.ENDED


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network.install(monkeypatch)


@pytest.fixture
def servers(network: Network, tmp_path: Path) -> list[MemoryServer]:
    return [MemoryServer(network, tmp_path / str(n), f"192.0.2.{n}") for n in range(1, 5)]


def tunnels(servers: list[MemoryServer]) -> list[int]:
    """Return how many tunnels each server has."""
    return [len(server.sessions) for server in servers]


# ---- the network ------------------------------------------------------------------------------------------


async def test_without_a_network_nobody_is_dialled_and_patience_does_not_end(
    network: Network, servers: list[MemoryServer]
) -> None:
    machine = Machine(up=False)
    run = Run(servers, machine, EstablishTunnelTimeoutSeconds=30)
    await asyncio.sleep(1000)
    assert network.dialled == []
    assert not run.task.done()
    machine.up = True
    await run.controller.connected.wait()
    assert now() < 1003
    await run.stop()


async def test_on_another_network_the_tunnel_is_made_anew_at_once(
    network: Network, servers: list[MemoryServer]
) -> None:
    machine = Machine()
    run = Run(servers, machine)
    await run.controller.connected.wait()
    await asyncio.sleep(100)
    machine.identity = "MOBILE-somewhere"
    machine.changed()
    await run.controller.disconnected.wait()
    await run.controller.connected.wait()
    assert now() < 102
    assert [told["ID"] for told in run.told("NetworkID")] == ["WIFI", "MOBILE"]
    await run.stop()
    await settle()
    assert network.open == []


async def test_dials_that_began_on_another_network_are_begun_anew(
    network: Network, servers: list[MemoryServer]
) -> None:
    places = dict(network.places)
    for place in network.places:
        network.places[place] = HANGS
    machine = Machine()
    run = Run(servers, machine)
    await asyncio.sleep(1)
    network.places |= places
    machine.changed()
    await run.controller.connected.wait()
    assert now() < 1.5
    await run.stop()


async def test_a_machine_that_slept_long_does_not_ask_its_tunnel(servers: list[MemoryServer]) -> None:
    machine = Machine()
    run = Run(servers, machine)
    await run.controller.connected.wait()
    await asyncio.sleep(10)
    machine.resumed(3600)
    await run.controller.disconnected.wait()
    assert now() == pytest.approx(10, abs=1)
    await run.controller.connected.wait()
    await run.stop()


async def test_a_short_sleep_costs_a_question(servers: list[MemoryServer]) -> None:
    machine = Machine()
    run = Run(servers, machine)
    await run.controller.connected.wait()
    await asyncio.sleep(10)
    machine.resumed(30)
    await asyncio.sleep(10)
    assert run.controller.connected.is_set()
    assert [told["count"] for told in run.told("Tunnels")] == [0, 1]
    await run.stop()


# ---- several tunnels --------------------------------------------------------------------------------------


async def test_a_pool_is_filled_with_tunnels_to_different_servers(servers: list[MemoryServer]) -> None:
    run = Run(servers, TunnelPoolSize=3)
    await asyncio.sleep(5)
    assert sorted(tunnels(servers)) == [0, 1, 1, 1]
    assert [told["count"] for told in run.told("Tunnels")] == [0, 1, 2, 3]
    assert run.controller.phase is Phase.OPERATING
    await run.stop()
    assert run.told("Tunnels")[-1] == {"count": 0}


async def test_whoever_is_lost_from_a_pool_is_replaced_and_the_others_stay(
    servers: list[MemoryServer],
) -> None:
    run = Run(servers, TunnelPoolSize=3)
    await asyncio.sleep(5)
    lost = next(server for server in servers if server.sessions)
    next(iter(lost.sessions)).socket.abort()
    await asyncio.sleep(5)
    assert sum(tunnels(servers)) == 3
    assert min(told["count"] for told in run.told("Tunnels")[4:]) == 2
    assert run.controller.connected.is_set()
    assert run.controller.phase is Phase.OPERATING
    await run.stop()


async def test_a_pool_is_no_larger_than_there_are_servers(servers: list[MemoryServer]) -> None:
    run = Run(servers[:2], TunnelPoolSize=8)
    await asyncio.sleep(60)
    assert tunnels(servers[:2]) == [1, 1]
    assert run.controller.phase is Phase.OPERATING
    await run.stop()


async def test_tunnels_take_turns(servers: list[MemoryServer]) -> None:
    run = Run(servers, TunnelPoolSize=3)
    await asyncio.sleep(5)
    pool = run.controller._operation.pool
    turns = [pool.next() for _ in range(6)]
    assert len(set(turns[:3])) == 3
    assert turns[:3] == turns[3:]
    await run.stop()
    with pytest.raises(NetworkError, match="no active tunnels"):
        pool.next()


async def test_reports_go_on_over_another_tunnel_when_the_reporting_one_is_lost(
    servers: list[MemoryServer],
) -> None:
    run = Run(servers, TunnelPoolSize=2)
    await asyncio.sleep(5)
    reporting = run.controller._operation._reporting
    assert reporting is not None
    reporting.abort()
    await asyncio.sleep(10)
    after = run.controller._operation._reporting
    assert after is not None and after is not reporting
    await run.stop()


async def test_a_mistake_of_ours_ends_the_run_and_leaves_nothing(
    network: Network, servers: list[MemoryServer]
) -> None:
    before = asyncio.all_tasks()
    run = Run(servers)
    await run.controller.connected.wait()

    async def fail() -> None:
        raise ZeroDivisionError

    run.controller._spawn(fail())
    with pytest.raises(ZeroDivisionError):
        await run.task
    assert run.controller.phase is Phase.ENDED
    assert asyncio.all_tasks() == before
    await settle()
    assert network.open == []
