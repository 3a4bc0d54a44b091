"""Whole clients that split: an application's connection, the server's word, and the way past the tunnel."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace
from tests.geoip_database import write_database
from tests.memory_network import HANGS, Destination, MemoryServer, Network, client_config, settle
from tests.unit.net.test_upstream_proxy import PROXY, install

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.rng import SeededRng
from headrace.client.controller import Controller
from headrace.client.forward_stream import ForwardFailed, open_stream
from headrace.client.local_connection import OPEN_TIMEOUT
from headrace.client.local_socks import SocksConnection
from headrace.client.notices import Notices
from headrace.client.proxy_options import ProxyOptions
from headrace.client.servers import FixedServers
from headrace.client.surroundings import Surroundings
from headrace.server.forwards import PortForwards
from headrace.ssh.forwarding import Destination as Target
from headrace.ssh.forwarding import Failure
from headrace.testing.fake_tcp import FakeTcp

pytestmark = pytest.mark.virtual_time

COUNTRIES = {"8.8.8.0/24": "DE", "8.8.4.0/24": "FR", "192.0.2.0/24": "DE"}  # the last one is the client's
HOME, ABROAD = Target("8.8.8.8", 80), Target("9.9.9.9", 80)
GREETING = b"\x05\x01\x00"


class Journey(Surroundings):
    """A network that changes when the test says so."""

    def __init__(self) -> None:
        self.change = asyncio.Event()

    async def watch(self, network_changed: Any, resumed: Any) -> None:
        while True:
            await self.change.wait()
            self.change.clear()
            network_changed()


class Client:
    """A client that splits as `settings` say, and its only server."""

    def __init__(self, network: Network, directory: Path, **settings: Any) -> None:
        database = write_database(directory / "geoip.mmdb", COUNTRIES)
        names = {"home.example": ["8.8.8.8"], "abroad.example": ["9.9.9.9"]}
        self.network = network
        self.server = MemoryServer(network, directory, names=names, GeoIPDatabaseFilenames=[str(database)])
        self._applications: list[FakeTcp] = []
        self.journey = Journey()
        self._stream = io.StringIO()
        proxies = {"DisableLocalSocksProxy": True, "DisableLocalHTTPProxy": True}
        self.controller = Controller(
            client_config(**proxies, **settings),
            FixedServers([replace(self.server.entry, local_source="EMBEDDED")]),
            Notices(self._stream, SYSTEM_CLOCK),
            SeededRng(9),
            surroundings=self.journey,
        )
        self._task = asyncio.create_task(self.controller.run())

    async def __aenter__(self) -> "Client":
        await self.controller.connected.wait()
        await settle()
        self.network.dialled.clear()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        for tcp in self._applications:  # as the local proxies do when they close
            tcp.abort()
        self.controller.stop()
        await self._task

    def ask(self, destination: Target) -> FakeTcp:
        """Return an application's connection to the SOCKS proxy, which was asked for a name or an address."""
        tcp = FakeTcp(SocksConnection(self.controller, ProxyOptions()))
        self._applications.append(tcp)
        host, port = destination.host.encode(), destination.port.to_bytes(2, "big")
        tcp.arrive(GREETING + b"\x05\x01\x00\x03" + bytes([len(host)]) + host + port)
        return tcp

    async def open(self, destination: Target) -> tuple[FakeTcp, int]:
        """Return it with the code of the proxy's answer."""
        tcp = self.ask(destination)
        await settle()
        assert tcp.written[:2] == b"\x05\x00"
        return tcp, tcp.written[3]

    @property
    def dialled(self) -> list[str]:
        """Where anybody connected to."""
        return [host for host, _ in self.network.dialled]

    def told(self, kind: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self._stream.getvalue().splitlines()]
        return [line["data"] for line in lines if line["noticeType"] == kind]

    @property
    def types(self) -> list[str]:
        return [json.loads(line)["noticeType"] for line in self._stream.getvalue().splitlines()]


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network.install(monkeypatch)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Target]:
    """What servers were asked for."""
    seen: list[Target] = []
    opening = PortForwards.open

    def record(self: PortForwards, channel: Any, destination: Target, **options: Any) -> None:
        seen.append(destination)
        opening(self, channel, destination, **options)

    monkeypatch.setattr(PortForwards, "open", record)
    return seen


@pytest_asyncio.fixture(autouse=True)
async def nothing_left_running() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    await settle()
    assert not asyncio.all_tasks() - before - {asyncio.current_task()}


class Site(Destination):
    """Somewhere to go."""

    def end(self) -> None:
        assert self.tcp is not None
        self.tcp.close()


def reach(network: Network, address: str) -> list[Site]:
    """Have somebody answer there; return the connections."""
    made: list[Site] = []

    def accept() -> Site:
        made.append(Site())
        return made[-1]

    network.places[address, 80] = accept
    return made


# ---- the server's word ------------------------------------------------------------------------------------


async def test_ones_own_country_is_reached_directly_and_asked_about_once(
    network: Network, tmp_path: Path, asked: list[Target]
) -> None:
    sites = reach(network, "home.example")  # resolved where it is dialled, which is here
    async with Client(network, tmp_path, SplitTunnelOwnRegion=True) as client:
        site = Target("home.example", 80)
        for _ in range(3):
            tcp, code = await client.open(site)
            assert code == 0
            tcp.arrive(b"question")
            sites[-1].send(b"answer")
            await settle()
            assert sites[-1].received == b"question"
            assert tcp.written.endswith(b"answer")
            tcp.finish()
            sites[-1].send(b"more")
            await settle()
            assert sites[-1].finished
            assert tcp.written.endswith(b"answermore")
            sites[-1].end()
            await settle()
            assert tcp.lost
        assert asked == [site]
        assert client.dialled == ["home.example"] * 3
        assert client.told("Untunneled") == [{"address": "home.example:80"}]


async def test_everything_else_is_tunnelled_and_asked_about_each_time(
    network: Network, tmp_path: Path, asked: list[Target]
) -> None:
    sites = reach(network, "9.9.9.9")
    async with Client(network, tmp_path, SplitTunnelOwnRegion=True) as client:
        for _ in range(2):
            tcp, code = await client.open(Target("abroad.example", 80))
            assert code == 0
            tcp.arrive(b"question")
            await settle()
            assert sites[-1].received == b"question"
        assert len(asked) == 2
        assert client.told("Untunneled") == []


async def test_the_countries_are_told_between_the_clients_own_and_the_rest(
    network: Network, tmp_path: Path
) -> None:
    settings = {"SplitTunnelOwnRegion": True, "SplitTunnelRegions": ["FR"]}
    async with Client(network, tmp_path, **settings) as client:
        assert client.told("SplitTunnelRegions") == [{"regions": ["DE", "FR"]}]
        assert client.types.index("SplitTunnelRegions") == client.types.index("ClientRegion") + 1
    async with Client(network, tmp_path, SplitTunnelExcludedHosts=["printer"]) as client:
        assert client.told("SplitTunnelRegions") == []


async def test_on_another_network_the_server_is_asked_again(
    network: Network, tmp_path: Path, asked: list[Target]
) -> None:
    reach(network, "8.8.8.8")
    async with Client(network, tmp_path, SplitTunnelOwnRegion=True) as client:
        await client.open(HOME)
        client.journey.change.set()
        await settle()
        await client.controller.connected.wait()
        await client.open(HOME)
        assert asked == [HOME, HOME]


async def test_streams_split_as_well(network: Network, tmp_path: Path, asked: list[Target]) -> None:
    sites = reach(network, "8.8.8.8")
    async with Client(network, tmp_path, SplitTunnelOwnRegion=True) as client:
        for _ in range(2):
            stream = await open_stream(client.controller, HOME)
            await stream.write(b"question")
            sites[-1].send(b"answer")
            assert await stream.read() == b"answer"
            stream.close()
        assert asked == [HOME]
        assert client.told("Untunneled") == [{"address": "8.8.8.8:80"}]


# ---- the user's list --------------------------------------------------------------------------------------


async def test_excluded_hosts_are_the_clients_alone_even_without_a_tunnel(
    network: Network, tmp_path: Path, asked: list[Target]
) -> None:
    reach(network, "printer.intranet.example")
    excluded = ["*.intranet.example", "10.0.0.0/8"]
    async with Client(network, tmp_path, SplitTunnelExcludedHosts=excluded) as client:
        for session in list(client.server.sessions):
            session.socket.abort()
        assert (await client.open(Target("Printer.INTRANET.example.", 80)))[1] != 0  # as it was asked for
        assert (await client.open(Target("printer.intranet.example", 80)))[1] == 0
        assert asked == []
        assert client.dialled[:2] == ["Printer.INTRANET.example.", "printer.intranet.example"]


# ---- the way there ----------------------------------------------------------------------------------------


async def test_it_leads_through_the_upstream_proxy(network: Network, tmp_path: Path) -> None:
    proxies = install(network, "http")
    settings = {"UpstreamProxyURL": f"http://{PROXY[0]}:{PROXY[1]}", "SplitTunnelOwnRegion": True}
    reach(network, "home.example")
    async with Client(network, tmp_path, **settings) as client:
        _, code = await client.open(Target("home.example", 80))
        assert code == 0
        assert client.network.dialled == [PROXY]
        assert proxies[-1].asked == [("home.example", 80)]


async def test_it_leaves_by_the_interface_that_tunnels_leave_by(network: Network, tmp_path: Path) -> None:
    reach(network, "8.8.8.8")
    async with Client(network, tmp_path, BindInterface="lo", SplitTunnelOwnRegion=True) as client:
        network.devices.clear()
        assert (await client.open(HOME))[1] == 0
        assert network.devices == ["lo"]


async def test_one_that_leads_nowhere_is_told_as_such(network: Network, tmp_path: Path) -> None:
    async with Client(network, tmp_path, SplitTunnelOwnRegion=True) as client:
        _, code = await client.open(HOME)
        assert code in (1, 5)
        network.places["8.8.8.8", 80] = HANGS
        tcp = client.ask(HOME)
        await asyncio.sleep(OPEN_TIMEOUT - 0.1)
        assert not tcp.lost
        await asyncio.sleep(0.2)
        assert tcp.lost
        assert tcp.written[3] == 6
        with pytest.raises(ForwardFailed) as failure:
            await open_stream(client.controller, HOME)
        assert failure.value.why is Failure.TIMED_OUT
        assert client.dialled == ["8.8.8.8"] * 3  # nobody tries it through the tunnel


async def test_an_application_that_leaves_leaves_nothing_behind(network: Network, tmp_path: Path) -> None:
    sites = reach(network, "8.8.8.8")
    async with Client(network, tmp_path, SplitTunnelOwnRegion=True) as client:
        before = asyncio.all_tasks()
        (await client.open(HOME))[0].abort()  # while it is served
        network.delays["8.8.8.8", 80] = 3
        late = client.ask(HOME)
        await asyncio.sleep(1)
        late.abort()  # while it waits
        await asyncio.sleep(5)
        assert [site.finished for site in sites] == [True]
        assert asyncio.all_tasks() == before


async def test_what_an_application_sends_too_early_arrives(network: Network, tmp_path: Path) -> None:
    sites = reach(network, "8.8.8.8")
    async with Client(network, tmp_path, SplitTunnelOwnRegion=True) as client:
        network.delays["8.8.8.8", 80] = 3
        early = bytes(range(256)) * 1024
        tcp = client.ask(HOME)
        await settle()
        taken = tcp.arrive(early)
        assert taken < len(early)  # there is a bound to what is kept
        await asyncio.sleep(4)
        tcp.arrive(early[taken:])
        tcp.finish()
        await settle()
        assert sites[0].received == early
        assert sites[0].finished
