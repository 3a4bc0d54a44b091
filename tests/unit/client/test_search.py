"""Looking for tunnels on virtual time: begun anew, called off, told of servers, and broken by mistakes."""

import asyncio
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.memory_network import HANGS, MemoryServer, Network, client_config, settle
from tests.unit.client.test_surroundings import Machine, Run, now, tunnels

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.errors import OperatorError
from headrace.base.rng import SeededRng
from headrace.client.notices import NoticeOptions, Notices
from headrace.client.search import Search
from headrace.client.servers import FixedServers
from headrace.client.shared import Shared
from headrace.client.tunnel import Tunnel
from headrace.codec.handshake_response import HandshakeResponse
from headrace.documents.server_entry import ServerEntry
from headrace.establishment.journal import Journal
from headrace.establishment.settings import EstablishmentSettings

pytestmark = pytest.mark.virtual_time

PORTS = (4001, 4002)
WORK_TIME = EstablishmentSettings().work_time


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network.install(monkeypatch)


@pytest.fixture
def servers(network: Network, tmp_path: Path) -> list[MemoryServer]:
    return [MemoryServer(network, tmp_path / str(n), f"192.0.2.{n}") for n in range(1, 4)]


class Looking:
    """A search that is under way, and what it tells."""

    def __init__(
        self,
        servers: list[MemoryServer],
        machine: Machine | None = None,
        want_servers: Callable[[], None] | None = None,
        **settings: Any,
    ) -> None:
        self._stream = io.StringIO()
        self.kept: list[Tunnel] = []
        self.wanted: list[float] = []  # times at which more servers were asked for
        notices = Notices(self._stream, SYSTEM_CLOCK, NoticeOptions(diagnostics=True))
        known = FixedServers([server.entry for server in servers])
        self.shared = Shared.of(
            client_config(**settings),
            known,
            notices,
            SeededRng(2),
            SYSTEM_CLOCK,
            None,
            machine or Machine(),
        )
        self.search = Search(
            self.shared,
            Journal(),
            self._keep,
            lambda name, payload: None,
            new_round=lambda number: None,
            want_servers=want_servers or (lambda: self.wanted.append(now())),
        )
        self.task = asyncio.create_task(self.search.find(lambda: ()))

    def _keep(self, tunnel: Tunnel, response: HandshakeResponse, took: float) -> None:
        self.kept.append(tunnel)

    def told(self, kind: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self._stream.getvalue().splitlines()]
        return [line["data"] for line in lines if line["noticeType"] == kind]


def hang(network: Network, *servers: MemoryServer) -> None:
    for server in servers:
        for port in PORTS:
            network.places[server.address, port] = HANGS


async def test_only_the_kind_of_network_is_told(servers: list[MemoryServer]) -> None:
    looking = Looking(servers)
    assert await looking.task
    assert looking.told("NetworkID") == [{"ID": "WIFI"}]
    assert "home" not in looking._stream.getvalue()
    looking.kept[0].abort()


async def test_begun_anew_amid_a_handshake(
    network: Network, servers: list[MemoryServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    handshake = Tunnel.handshake
    begun: list[Tunnel] = []

    async def slow(self: Tunnel) -> HandshakeResponse:
        begun.append(self)
        await asyncio.sleep(1)
        return await handshake(self)

    monkeypatch.setattr(Tunnel, "handshake", slow)
    looking = Looking(servers)
    await asyncio.sleep(0.5)
    looking.search.begin_anew()
    looking.search.begin_anew()
    assert await looking.task
    assert now() == pytest.approx(1.5, abs=0.05)
    assert len(begun) == 2
    assert looking.kept == begun[1:]
    await settle()
    assert len(network.open) == 2  # both ends of the one
    looking.kept[0].abort()


async def test_called_off_in_the_moment_in_which_it_was_to_begin_anew(
    network: Network, servers: list[MemoryServer]
) -> None:
    hang(network, *servers)
    looking = Looking(servers)
    await asyncio.sleep(0.5)
    network.dialled.clear()
    looking.search.begin_anew()
    looking.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking.task
    await settle()
    assert network.dialled == []


async def test_a_mistake_when_time_has_passed_is_heard_of(
    network: Network, servers: list[MemoryServer]
) -> None:
    def fail() -> None:
        raise OperatorError("there is nobody any more")

    hang(network, *servers)
    looking = Looking(servers, want_servers=fail)
    with pytest.raises(OperatorError, match="nobody any more"):
        await looking.task
    assert now() == pytest.approx(WORK_TIME)
    await settle()
    assert network.open == []


async def test_a_region_without_servers(network: Network, servers: list[MemoryServer]) -> None:
    looking = Looking(servers, EgressRegion="AQ", EstablishTunnelTimeoutSeconds=100)
    assert not await looking.task
    assert network.dialled == []
    assert looking.wanted[0] == 0
    assert len(looking.wanted) > 10
    assert looking.told("EstablishTunnelTimeout") == [{"timeout": "1m40s"}]


async def test_a_run_in_a_region_without_servers_says_so_and_goes_on(
    network: Network, servers: list[MemoryServer]
) -> None:
    elsewhere = [ServerEntry.from_fields({**server.entry.fields, "region": "CH"}) for server in servers]
    run = Run(servers, EgressRegion="AQ")
    known = run.controller._servers
    assert isinstance(known, FixedServers)
    known._entries[:] = elsewhere
    await asyncio.sleep(100)
    assert not run.task.done()
    assert network.dialled == []
    (warning,) = run.told("Warning")
    assert warning["message"].startswith("no known server's traffic leaves in AQ")
    assert "there are some in CH" in warning["message"]
    known._entries.append(
        ServerEntry.from_fields({**servers[0].entry.fields, "region": "AQ", "tag": "YW50YXJjdGlj"})
    )
    run.controller._arrived([servers[0].address])
    await asyncio.wait_for(run.controller.connected.wait(), 0.1)  # at once, not in the next round
    await run.stop()


async def test_newcomers_are_not_dialled_while_connected_but_next_time(
    network: Network, servers: list[MemoryServer]
) -> None:
    run = Run(servers[:1])
    await run.controller.connected.wait()
    network.dialled.clear()
    known = run.controller._servers
    assert isinstance(known, FixedServers)
    known._entries.append(servers[1].entry)
    run.controller._arrived([servers[1].address])
    await asyncio.sleep(100)
    assert network.dialled == []
    hang(network, servers[0])
    for session in list(servers[0].sessions):
        session.socket.abort()
    await run.controller.disconnected.wait()
    await run.controller.connected.wait()
    assert tunnels(servers) == [0, 1, 0]
    await run.stop()
