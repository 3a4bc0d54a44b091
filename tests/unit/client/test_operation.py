"""Tunnels in use, in whole runs of the client on virtual time: what is made of it when they end."""

import asyncio
from pathlib import Path

import pytest
from tests.memory_network import HANGS, MemoryServer, Network, settle
from tests.unit.client.test_surroundings import Machine, Run, now, tunnels

from headrace.base.errors import NetworkError
from headrace.client.operation import SHORT_LIVED
from headrace.client.phases import Phase
from headrace.client.servers import FixedServers
from headrace.client.status_reporter import LAST_WORDS
from headrace.client.tunnel import Tunnel
from headrace.server.api import ApiSession

pytestmark = pytest.mark.virtual_time

PORTS = (4001, 4002)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network.install(monkeypatch)


@pytest.fixture
def servers(network: Network, tmp_path: Path) -> list[MemoryServer]:
    return [MemoryServer(network, tmp_path / str(n), f"192.0.2.{n}") for n in range(1, 6)]


def delay(network: Network, server: MemoryServer, seconds: float) -> None:
    for port in PORTS:
        network.delays[server.address, port] = seconds


def lose(server: MemoryServer) -> None:
    """Have a server drop its clients."""
    for session in list(server.sessions):
        session.socket.abort()


# ---- several tunnels --------------------------------------------------------------------------------------


async def test_a_tunnel_lost_at_once_while_others_are_looked_for_is_replaced_in_the_end(
    network: Network, servers: list[MemoryServer]
) -> None:
    delay(network, servers[1], 0.5)
    delay(network, servers[2], 0.5)
    for server in servers[3:]:
        delay(network, server, 1.0)
    run = Run(servers, TunnelPoolSize=3)
    await run.controller.connected.wait()
    lose(servers[0])
    await asyncio.sleep(1.0)  # the two others are there, and the search believes to be through
    phases = [run.controller.phase]
    await asyncio.sleep(SHORT_LIVED + 5)
    assert not run.task.done()
    assert sum(tunnels(servers)) == 3
    assert [*phases, run.controller.phase] == [Phase.FILLING, Phase.OPERATING]
    await run.stop()


async def test_a_server_that_was_found_again_counts_once(
    network: Network, servers: list[MemoryServer]
) -> None:
    for server in servers[1:]:
        delay(network, server, 3.0)
    run = Run(servers[:3], TunnelPoolSize=3)
    await asyncio.sleep(3.5)
    assert tunnels(servers[:3]) == [1, 1, 1]
    lose(servers[1])  # soon
    await asyncio.sleep(0.1)
    lose(servers[0])  # not soon: both are looked for at once
    delay(network, servers[0], 2 * SHORT_LIVED)
    delay(network, servers[1], 0.0)
    await asyncio.sleep(30)
    assert tunnels(servers[:3]) == [1, 1, 1]
    assert max(told["count"] for told in run.told("Tunnels")) == 3
    await run.stop()


async def test_a_pool_grows_with_the_servers_known_when_one_was_lost_meanwhile(
    network: Network, servers: list[MemoryServer]
) -> None:
    delay(network, servers[1], SHORT_LIVED + 2)
    run = Run(servers[:2], TunnelPoolSize=3)
    await asyncio.sleep(SHORT_LIVED + 0.5)
    lose(servers[0])  # it is looked for, too, beside the second
    known = run.controller._servers
    assert isinstance(known, FixedServers)
    known._entries.append(servers[2].entry)
    await asyncio.sleep(10)
    assert not run.task.done()
    assert tunnels(servers) == [1, 1, 1, 0, 0]
    assert run.controller.phase is Phase.OPERATING
    await run.stop()


async def test_patience_for_the_first_tunnel_is_none_for_the_others(
    network: Network, servers: list[MemoryServer]
) -> None:
    for port in PORTS:
        network.places[servers[1].address, port] = HANGS
    run = Run(servers[:2], TunnelPoolSize=2, EstablishTunnelTimeoutSeconds=30)
    await asyncio.sleep(1000)
    assert not run.task.done()
    assert run.controller.phase is Phase.FILLING
    assert tunnels(servers) == [1, 0, 0, 0, 0]
    await run.stop()
    assert run.told("EstablishTunnelTimeout") == []


async def test_reports_go_on_over_a_tunnel_that_was_there_already(
    network: Network, servers: list[MemoryServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[ApiSession] = []
    answer = ApiSession.answer

    def record(self: ApiSession, name: bytes, payload: bytes) -> bytes | None:
        if name == b"psiphon-connected":
            asked.append(self)
        return answer(self, name, payload)

    monkeypatch.setattr(ApiSession, "answer", record)
    run = Run(servers[:2], TunnelPoolSize=2)
    await asyncio.sleep(10)
    assert len(asked) == 1
    reporting = run.controller._operation._reporting
    assert reporting is not None
    address = reporting.dial_parameters.entry.ip_address
    for port in PORTS:
        network.places[address, port] = NetworkError("Connection refused")
    reporting.abort()
    await asyncio.sleep(10)
    assert len(asked) == 2 and asked[0] is not asked[1]
    assert len(run.controller._operation.pool) == 1
    await run.stop()


# ---- how they end -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("silent", [True, False])
async def test_only_a_server_that_went_silent_loses_its_head_start(
    network: Network, servers: list[MemoryServer], silent: bool
) -> None:
    for server in servers[1:]:
        delay(network, server, 0.2)
    run = Run(servers, LimitTunnelProtocols=["OSSH"])
    await run.controller.connected.wait()
    await asyncio.sleep(100)
    network.dialled.clear()
    delay(network, servers[0], 0.9)  # it would win with a head start
    if silent:
        for wire in network.wires:
            wire.stuck = True
        run.controller.forward_failed()
    else:
        lose(servers[0])
    await run.controller.disconnected.wait()
    await run.controller.connected.wait()
    await settle()
    (kept,) = run.controller._operation.pool
    assert (kept.dial_parameters.entry.ip_address == servers[0].address) is not silent
    await run.stop()


async def test_another_network_is_no_fault_of_a_server_that_was_just_found(
    network: Network, servers: list[MemoryServer]
) -> None:
    machine = Machine()
    for server in servers[1:]:
        delay(network, server, 0.5)
    run = Run(servers, machine)
    await run.controller.connected.wait()
    await asyncio.sleep(SHORT_LIVED / 2)
    machine.changed()
    await run.controller.disconnected.wait()
    lost = now()
    await run.controller.connected.wait()
    assert now() - lost < 0.1
    (kept,) = run.controller._operation.pool
    assert kept.dial_parameters.entry.ip_address == servers[0].address
    await run.stop()


async def test_the_end_waits_a_moment_for_the_answer_to_a_connected_request(
    network: Network, servers: list[MemoryServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    request = Tunnel.request
    answered = []

    async def slow(self: Tunnel, name: bytes, payload: bytes, timeout: float | None = None) -> bytes | None:
        reply = await request(self, name, payload, timeout)
        if name == b"psiphon-connected":
            await asyncio.sleep(LAST_WORDS / 2)
            answered.append(now())
        return reply

    monkeypatch.setattr(Tunnel, "request", slow)
    run = Run(servers)
    await run.controller.connected.wait()
    await settle()
    await run.stop()
    assert len(answered) == 1


# ---- the end ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pool", [1, 3])
async def test_stopped_at_each_step(network: Network, servers: list[MemoryServer], pool: int) -> None:
    before = asyncio.all_tasks()
    phases = set()
    for steps in range(0, 160):
        run = Run(servers, TunnelPoolSize=pool)
        for _ in range(steps):
            await asyncio.sleep(0)
        phases.add(run.controller.phase)
        await run.stop()
        assert run.told("Tunnels")[-1:] in ([{"count": 0}], [])
        assert asyncio.all_tasks() == before
        await settle()
        assert network.open == []
    assert Phase.ESTABLISHING in phases
    assert phases & {Phase.FILLING, Phase.OPERATING}


async def test_a_mistake_while_reporting_ends_the_run_with_it(
    network: Network, servers: list[MemoryServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*whatever: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("headrace.client.connected_reporter.ConnectedReporter.run", fail)
    run = Run(servers)
    with pytest.raises(ZeroDivisionError):
        await run.task
    await settle()
    assert network.open == []
