"""Whole runs of the client on virtual time: what it tells at each step, and that every ending is orderly."""

import asyncio
import io
import json
import os
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.geoip_database import Everywhere
from tests.memory_network import HANGS, Destination, MemoryServer, Network, client_config, settle

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.errors import NetworkError, OperatorError
from headrace.base.rng import SeededRng
from headrace.client.controller import SWEEP, Controller
from headrace.client.establishment_reports import PROXY_TROUBLE, PROXY_TROUBLE_OF_MANY
from headrace.client.local_socks import SocksConnection
from headrace.client.notices import NoticeOptions, Notices
from headrace.client.operation import SHORT_LIVED
from headrace.client.proxy_options import ProxyOptions
from headrace.client.servers import FixedServers
from headrace.client.tunnel import Tunnel
from headrace.codec.handshake_response import HandshakeResponse
from headrace.documents.psinet import read_psinet
from headrace.documents.server_entry import ServerEntry
from headrace.establishment.settings import EstablishmentSettings
from headrace.server.api import ApiSession
from headrace.ssh.forwarding import Destination as Target
from headrace.testing.fake_tcp import FakeTcp
from headrace.testing.peers import RecordingEndpoint

pytestmark = pytest.mark.virtual_time

PAUSE, ESTABLISH_TIMEOUT = EstablishmentSettings().pause, EstablishmentSettings().give_up
SOCKS_REQUEST = b"\x05\x01\x00\x05\x01\x00\x01\x08\x08\x08\x08\x00\x50"
ORIGIN = ("8.8.8.8", 80)


class Run:
    """A client that is running, without local proxies unless `settings` say otherwise."""

    def __init__(self, entries: list[ServerEntry], **settings: Any) -> None:
        proxies = {"DisableLocalSocksProxy": True, "DisableLocalHTTPProxy": True}
        config = client_config(**{**proxies, **settings})
        self._stream = io.StringIO()
        options = NoticeOptions(
            diagnostics=True, client_address=True, bytes_transferred=True, server_alerts=True
        )
        notices = Notices(self._stream, SYSTEM_CLOCK, options)
        self.controller = Controller(config, FixedServers(entries), notices, SeededRng(9))
        self.task = asyncio.create_task(self.controller.run())

    @property
    def notices(self) -> list[tuple[str, dict[str, Any]]]:
        lines = [json.loads(line) for line in self._stream.getvalue().splitlines()]
        return [(line["noticeType"], line["data"]) for line in lines]

    def told(self, kind: str) -> list[dict[str, Any]]:
        """What was said in notices of this type."""
        return [data for name, data in self.notices if name == kind]

    @property
    def types(self) -> list[str]:
        return [name for name, _ in self.notices]

    async def connected(self) -> "Run":
        await self.controller.connected.wait()
        await settle()
        return self

    async def stop(self) -> None:
        self.controller.stop()
        await self.task

    def application(self) -> FakeTcp:
        """Return an application's connection to the SOCKS proxy."""
        return FakeTcp(SocksConnection(self.controller, ProxyOptions()))


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network.install(monkeypatch)


@pytest.fixture
def server(network: Network, tmp_path: Path) -> MemoryServer:
    return MemoryServer(network, tmp_path)


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bytes]]:
    """Every API request that any server got, with its payload."""
    seen: list[tuple[str, bytes]] = []
    answer = ApiSession.answer

    def record(self: ApiSession, name: bytes, payload: bytes) -> bytes | None:
        seen.append((name.decode(), payload))
        return answer(self, name, payload)

    monkeypatch.setattr(ApiSession, "answer", record)
    return seen


@pytest_asyncio.fixture(autouse=True)
async def nothing_left_running() -> AsyncIterator[None]:
    """Whatever a run began must have ended with it."""
    before = asyncio.all_tasks()
    yield
    await settle()
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    assert not left


# ---- connecting -------------------------------------------------------------------------------------------


async def test_each_step_is_told(network: Network, server: MemoryServer) -> None:
    run = await Run([server.entry]).connected()
    await run.stop()
    expected = [
        "SessionId",
        "Tunnels",
        "NetworkID",
        "ConnectingServer",
        "CandidateServers",
        "AvailableEgressRegions",
        "ConnectedServer",
        "ClientAddress",
        "ClientRegion",
        "ServerTimestamp",
        "ActiveAuthorizationIDs",
        "TrafficRateLimits",
        "Tunnels",
        "ActiveTunnel",
        "ConnectedServerRegion",
        "TotalBytesTransferred",
        "Tunnels",
        "Exiting",
    ]
    assert [name for name in run.types if name not in ("Info", "BytesTransferred")] == expected
    assert [data["count"] for data in run.told("Tunnels")] == [0, 1, 0]
    (candidates,) = run.told("CandidateServers")
    assert (candidates["count"], candidates["region"]) == (1, "")
    assert network.open == []


async def test_notices_say_nothing_about_where_the_server_is(server: MemoryServer) -> None:
    run = await Run([server.entry]).connected()
    await run.stop()
    told = json.dumps([notice for notice in run.notices if notice[0] != "ClientAddress"])
    for secret in (server.address, server.entry.ssh_password, server.entry.ssh_obfuscated_key, "4001"):
        assert secret not in told


async def test_what_the_handshake_brought_is_told(server: MemoryServer) -> None:
    shared = server.worker.shared
    homepages = ["https://example.org/one", "https://example.org/two"]
    pages = {"CH": [{"url": url} for url in homepages]}
    psinet = read_psinet(json.dumps({"sponsors": {"F" * 16: {"home_pages": pages}}}).encode())
    services = replace(shared.api, psinet=psinet)
    server.worker.shared = replace(shared, api=services, geo_ip=Everywhere("CH"))
    run = await Run([server.entry]).connected()
    await run.stop()
    assert sorted(data["url"] for data in run.told("Homepage")) == homepages
    assert run.notices.index(("Tunnels", {"count": 1})) > run.types.index("Homepage")
    assert run.told("ClientRegion") == [{"region": "CH"}]
    (told,) = run.told("ClientAddress")
    assert told["address"].startswith("192.0.2.1:")


@pytest.mark.parametrize("encoding", ["cbor", "json"])
async def test_both_encodings(server: MemoryServer, requests: list[tuple[str, bytes]], encoding: str) -> None:
    run = await Run([server.entry], TargetAPIEncoding=encoding).connected()
    await run.stop()
    assert [name for name, _ in requests] == ["psiphon-handshake", "psiphon-connected", "psiphon-status"]
    starts = {payload[:1] for name, payload in requests if name != "psiphon-status"}
    assert starts == ({b"{"} if encoding == "json" else {b"\0"})
    assert run.told("Tunnels")[1] == {"count": 1}


async def test_without_the_api_nothing_is_asked(
    network: Network, tmp_path: Path, requests: list[tuple[str, bytes]]
) -> None:
    server = MemoryServer(network, tmp_path, AllowForwardsBeforeHandshake=True)
    origin = Destination()
    network.places[ORIGIN] = lambda: origin
    run = await Run([server.entry], DisableApi=True).connected()
    application = run.application()
    application.arrive(SOCKS_REQUEST + b"hello")
    await settle()
    assert origin.received == b"hello"
    await run.stop()
    assert requests == []
    assert "ClientRegion" not in run.types


async def test_only_servers_of_the_chosen_region_and_protocol_are_tried(
    network: Network, server: MemoryServer
) -> None:
    fields = server.entry.fields
    swiss = ServerEntry.from_fields({**fields, "region": "CH", "tag": "c3dpc3M="})
    french = ServerEntry.from_fields({**fields, "region": "FR", "tag": "ZnJlbmNo", "ipAddress": "192.0.2.9"})
    run = await Run([french, swiss], EgressRegion="CH", LimitTunnelProtocols=["SSH"]).connected()
    await run.stop()
    assert network.dialled == [(server.address, 4002)]
    assert run.told("AvailableEgressRegions") == [{"regions": ["CH", "FR"]}]
    (candidates,) = run.told("CandidateServers")
    assert (candidates["count"], candidates["region"]) == (1, "CH")
    assert run.told("ConnectedServerRegion") == [{"serverRegion": "CH"}]


async def test_fields_without_use_and_a_newer_version_are_told(
    server: MemoryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    handshake = Tunnel.handshake

    async def with_upgrade(self: Tunnel) -> HandshakeResponse:
        return replace(await handshake(self), upgrade_client_version="77")

    monkeypatch.setattr(Tunnel, "handshake", with_upgrade)
    run = await Run([server.entry], NoSuchField=1).connected()
    await run.stop()
    assert "NoSuchField" in run.told("Info")[0]["message"]
    assert run.told("ClientUpgradeAvailable") == [{"version": "77"}]


async def test_entries_that_cannot_be_used_are_told_once(network: Network, server: MemoryServer) -> None:
    entry = ServerEntry.from_fields({**server.entry.fields, "capabilities": ["QUIC"]})
    run = Run([entry], EstablishTunnelTimeoutSeconds=60)
    await run.task
    assert len(run.told("SkipServerEntry")) == 1
    assert network.dialled == []


# ---- no tunnel --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "5m0s"), (45, "45s"), (1, "1s")], ids=["default", "45", "1"]
)
async def test_a_run_without_a_tunnel_gives_up_in_time(
    network: Network, server: MemoryServer, seconds: int | None, text: str
) -> None:
    network.places[server.address, 4001] = network.places[server.address, 4002] = HANGS
    settings = {} if seconds is None else {"EstablishTunnelTimeoutSeconds": seconds}
    run = Run([server.entry], **settings)
    await run.task
    assert now() == pytest.approx(seconds or ESTABLISH_TIMEOUT)
    assert run.told("EstablishTunnelTimeout") == [{"timeout": text}]
    assert run.types[-2:] == ["EstablishTunnelTimeout", "Exiting"]
    assert network.open == []


async def test_a_timeout_of_zero_means_never(network: Network, server: MemoryServer) -> None:
    place = network.places.pop((server.address, 4001))
    run = Run([server.entry], EstablishTunnelTimeoutSeconds=0, LimitTunnelProtocols=["OSSH"])
    await asyncio.sleep(1000)
    assert not run.task.done()
    assert len(network.dialled) == pytest.approx(1000 / PAUSE, rel=0.02)  # refused at once, then the pause
    network.places[server.address, 4001] = place
    await run.connected()
    await run.stop()
    assert "EstablishTunnelTimeout" not in run.types


async def test_once_there_was_a_tunnel_the_next_is_looked_for_without_limit(
    network: Network, server: MemoryServer
) -> None:
    run = await Run([server.entry], EstablishTunnelTimeoutSeconds=10).connected()
    places = dict(network.places)
    network.places.clear()
    for session in list(server.sessions):
        session.socket.abort()
    await asyncio.sleep(3600)
    assert not run.task.done()
    network.places |= places
    await asyncio.sleep(2 * PAUSE)
    assert run.controller.connected.is_set()
    await run.stop()
    assert "EstablishTunnelTimeout" not in run.types


@pytest.mark.parametrize(("workers", "after"), [(0, PROXY_TROUBLE), (1, PROXY_TROUBLE_OF_MANY)])
async def test_trouble_with_the_upstream_proxy_is_told_once_it_lasts(
    network: Network, server: MemoryServer, workers: int, after: float
) -> None:
    entry = ServerEntry.from_fields({**server.entry.fields, "allowUpstreamProxy": True})
    url = "http://u:secret@192.0.2.80:3128"
    run = Run([entry], UpstreamProxyURL=url, ConnectionWorkerPoolSize=workers)
    await asyncio.sleep(after - PAUSE)
    assert run.told("UpstreamProxyError") == []
    await asyncio.sleep(20 * PAUSE)
    await run.stop()
    (told,) = run.told("UpstreamProxyError")
    assert told["message"].startswith("the upstream proxy cannot be reached: Connection refused")
    assert "secret" not in told["message"]
    assert set(network.dialled) == {("192.0.2.80", 3128)}


async def test_failures_are_told_for_diagnosis_without_addresses(
    network: Network, server: MemoryServer
) -> None:
    network.places.clear()
    run = Run([server.entry], EstablishTunnelTimeoutSeconds=1)
    await run.task
    (info,) = run.told("Info")
    assert "Connection refused" in info["message"]
    assert server.address not in info["message"]


async def test_without_a_tunnel_applications_hear_at_once(network: Network, server: MemoryServer) -> None:
    network.places[server.address, 4001] = network.places[server.address, 4002] = HANGS
    run = Run([server.entry])
    await settle()
    with pytest.raises(NetworkError, match="no active tunnels"):
        run.controller.open_forward(Target("example.org", 80), RecordingEndpoint())
    run.controller.forward_failed()  # there is nothing to probe
    application = run.application()
    application.arrive(SOCKS_REQUEST)
    assert application.log == ["close"]
    assert application.written.endswith(b"\x05\x01\x00\x01" + bytes(6))
    await run.stop()


# ---- connected --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 1])
async def test_a_lost_tunnel_is_made_anew_with_the_same_server_first(
    network: Network, tmp_path: Path, workers: int
) -> None:
    servers = [MemoryServer(network, tmp_path / str(number), f"192.0.2.{number}") for number in range(1, 9)]
    run = await Run([server.entry for server in servers], ConnectionWorkerPoolSize=workers).connected()
    (first,) = [server.address for server in servers if server.worker.tunnels]
    network.dialled.clear()
    for _ in range(5):
        (server,) = [server for server in servers if server.worker.tunnels]
        assert server.address == first
        await asyncio.sleep(SHORT_LIVED)
        for session in list(server.sessions):
            session.socket.abort()
        await settle()
        await run.connected()
    assert {address for address, _ in network.dialled} == {first}
    await run.stop()
    assert [data["count"] for data in run.told("Tunnels")] == [0, *[1, 0] * 6]
    assert network.open == []


async def test_a_server_that_drops_its_clients_at_once_is_not_clung_to(
    network: Network, tmp_path: Path
) -> None:
    servers = [MemoryServer(network, tmp_path / str(number), f"192.0.2.{number}") for number in range(1, 4)]
    for server in servers[1:]:
        network.delays[server.address, 4001] = network.delays[server.address, 4002] = 0.5
    run = Run([server.entry for server in servers])
    tunnels = []
    for _ in range(5):
        await run.connected()
        tunnels.append(now())
        for session in list(servers[0].sessions):
            session.socket.abort()
        await settle()
    assert tunnels == pytest.approx([2 * number for number in range(5)], abs=0.05)
    assert {address for address, _ in network.dialled[-3:]} == {server.address for server in servers}
    await run.stop()


async def test_another_server_takes_over_when_the_last_one_is_gone(network: Network, tmp_path: Path) -> None:
    servers = [MemoryServer(network, tmp_path / str(number), f"192.0.2.{number}") for number in range(1, 3)]
    run = await Run([server.entry for server in servers]).connected()
    (lost,) = [server for server in servers if server.worker.tunnels]
    (other,) = [server for server in servers if server is not lost]
    for port in (4001, 4002):
        del network.places[lost.address, port]
    for session in list(lost.sessions):
        session.socket.abort()
    await settle()
    await run.connected()
    assert other.worker.tunnels == 1
    await run.stop()


async def test_the_connected_request_repeats_what_the_last_reply_said(
    server: MemoryServer, requests: list[tuple[str, bytes]]
) -> None:
    run = await Run([server.entry], TargetAPIEncoding="json").connected()
    for session in list(server.sessions):
        session.socket.abort()
    await settle()
    await run.connected()
    await run.stop()
    said = [
        json.loads(payload)["last_connected"] for name, payload in requests if name == "psiphon-connected"
    ]
    assert said[0] == "None"
    assert said[1].endswith(":00:00Z")


async def test_a_refused_connected_request_changes_nothing(
    server: MemoryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = ApiSession.answer
    monkeypatch.setattr(
        ApiSession,
        "answer",
        lambda self, name, payload: None if name == b"psiphon-connected" else answer(self, name, payload),
    )
    run = await Run([server.entry]).connected()
    await asyncio.sleep(3600)
    assert run.controller.connected.is_set()
    await run.stop()


async def test_a_dead_path_is_noticed_by_a_failed_forward_and_another_tunnel_is_made(
    network: Network, server: MemoryServer
) -> None:
    run = await Run([server.entry]).connected()
    await asyncio.sleep(15)  # silent for more than ten seconds
    for wire in network.wires:
        wire.stuck = True
    died = now()
    application = run.application()
    application.arrive(SOCKS_REQUEST)
    await run.controller.disconnected.wait()
    assert now() - died <= 10 + 5 + 0.2  # the port forward's time, then the probe's
    await run.connected()
    assert application.log == ["close"]
    await run.stop()


async def test_bytes_are_told_while_they_pass(network: Network, server: MemoryServer) -> None:
    origin = Destination()
    network.places[ORIGIN] = lambda: origin
    run = await Run([server.entry], EmitBytesTransferred=True).connected()
    application = run.application()
    application.arrive(SOCKS_REQUEST)
    await asyncio.sleep(10)
    before = len(run.told("BytesTransferred"))
    await asyncio.sleep(30)
    assert len(run.told("BytesTransferred")) == before  # nothing passed
    origin.send(bytes(50_000))
    await asyncio.sleep(2)
    latest = run.told("BytesTransferred")[-1]
    assert 50_000 < latest["received"] < 60_000
    await run.stop()


async def test_a_relay_whose_far_side_has_finished_does_not_stay_forever(
    network: Network, server: MemoryServer
) -> None:
    origin = Destination()
    network.places[ORIGIN] = lambda: origin
    run = await Run([server.entry]).connected()
    application = run.application()
    application.arrive(SOCKS_REQUEST)
    await settle()
    assert origin.tcp is not None
    origin.tcp.write_eof()
    await asyncio.sleep(0.1)
    assert application.log == ["fin"]
    await asyncio.sleep(2 * SWEEP)
    assert application.log == ["fin", "close"]
    await run.stop()


async def test_a_servers_alert_is_told(server: MemoryServer) -> None:
    run = await Run([server.entry]).connected()
    (session,) = server.sessions
    assert session.tunnel is not None
    replies: list[bytes | None] = []
    session.tunnel._connection.request(b"psiphon-alert", b'{"reason": "unsafe-traffic"}', replies.append)
    await settle()
    assert replies == [b""]
    assert [data["reason"] for data in run.told("ServerAlert")] == ["unsafe-traffic"]
    await run.stop()


# ---- ending -----------------------------------------------------------------------------------------------


async def test_stopped_before_it_began(network: Network, server: MemoryServer) -> None:
    run = Run([server.entry])
    await run.stop()
    assert run.types[-1] == "Exiting"
    assert network.open == []


async def test_stopped_while_establishing(network: Network, server: MemoryServer) -> None:
    silent = Destination()
    network.places[server.address, 4001] = network.places[server.address, 4002] = lambda: silent
    run = Run([server.entry])
    await asyncio.sleep(7)
    await run.stop()
    assert now() == pytest.approx(7)
    await settle()
    assert silent.lost
    assert network.open == []
    assert run.types[-1] == "Exiting"


async def test_stopped_between_two_rounds(network: Network, server: MemoryServer) -> None:
    network.places.clear()
    run = Run([server.entry])
    await asyncio.sleep(2)
    await run.stop()
    assert now() == pytest.approx(2)


async def test_stopped_while_connected_says_goodbye(
    network: Network, server: MemoryServer, requests: list[tuple[str, bytes]]
) -> None:
    run = await Run([server.entry]).connected()
    application = run.application()
    network.places[ORIGIN] = Destination
    application.arrive(SOCKS_REQUEST)
    await settle()
    begun = now()
    await run.stop()
    assert now() - begun < 0.1
    assert [name for name, _ in requests] == ["psiphon-handshake", "psiphon-connected", "psiphon-status"]
    await settle()
    assert application.log[-1] in ("close", "abort")
    assert network.open == []
    assert server.sessions == set()


async def test_last_words_take_no_longer_than_a_second(network: Network, server: MemoryServer) -> None:
    run = await Run([server.entry]).connected()
    network.wires[0].stuck = True
    begun = now()
    await run.stop()
    assert now() - begun == pytest.approx(1.0)
    assert run.types[-1] == "Exiting"


async def test_stopped_twice_and_once_more_while_closing(network: Network, server: MemoryServer) -> None:
    run = await Run([server.entry]).connected()
    network.wires[0].stuck = True
    run.controller.stop()
    await asyncio.sleep(0.5)
    run.controller.stop()
    await run.task
    run.controller.stop()
    assert run.types.count("Exiting") == 1


async def test_a_tunnel_lost_during_the_last_words_is_not_made_anew(
    network: Network, server: MemoryServer
) -> None:
    run = await Run([server.entry]).connected()
    network.wires[0].stuck = True
    run.controller.stop()
    await asyncio.sleep(0.5)
    network.wires[1].abort()
    await run.task
    await settle()
    assert network.open == []
    assert server.worker.tunnels == 0


@pytest.mark.parametrize("moment", ["establishing", "connected"])
async def test_cancelled_nothing_goes_on(network: Network, server: MemoryServer, moment: str) -> None:
    if moment == "establishing":
        network.delays[server.address, 4001] = network.delays[server.address, 4002] = 5
    run = Run([server.entry])
    if moment == "connected":
        await run.connected()
    await settle()
    run.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run.task
    dialled = len(network.dialled)
    await asyncio.sleep(600)
    assert len(network.dialled) == dialled
    assert network.open == []
    assert run.types[-1] == "Exiting"


# ---- local proxies ----------------------------------------------------------------------------------------


async def test_listeners_are_told_stay_through_a_new_tunnel_and_go_with_the_run(
    network: Network, server: MemoryServer
) -> None:
    listening = {"DisableLocalSocksProxy": False, "DisableLocalHTTPProxy": False}
    run = await Run([server.entry], **listening).connected()
    ports = dict(run.controller.ports)
    assert run.told("ListeningSocksProxyPort") == [{"port": ports["Socks"]}]
    assert run.told("ListeningHttpProxyPort") == [{"port": ports["Http"]}]
    assert run.types.index("ListeningHttpProxyPort") < run.types.index("Tunnels")
    for session in list(server.sessions):
        session.socket.abort()
    await settle()
    await run.connected()
    assert run.controller.ports == ports
    assert len(run.told("ListeningSocksProxyPort")) == 1
    for port in ports.values():
        with socket.create_connection(("127.0.0.1", port), 5):
            pass
    await run.stop()
    for port in ports.values():
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 5)


@pytest.mark.parametrize("name", ["Socks", "Http"])
async def test_a_port_in_use_ends_the_run_before_anything_is_dialled(
    network: Network, server: MemoryServer, name: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = {"DisableLocalSocksProxy": False, "DisableLocalHTTPProxy": False}
        run = Run([server.entry], **settings, **{f"Local{name}ProxyPort": port})
        with pytest.raises(OperatorError, match=f"Local{name}ProxyPort.*{port}"):
            await run.task
    assert run.told(f"{name}ProxyPortInUse") == [{"port": port}]
    assert run.types[-1] == "Exiting"
    assert network.dialled == []
    if name == "Http":  # the other one had been opened already
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", run.controller.ports["Socks"]), 5)


async def test_a_port_that_cannot_be_had_for_another_reason_is_not_called_taken(
    server: MemoryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace.client.proxy_options.listening_address", lambda interface: "192.0.2.1")
    run = Run([server.entry], DisableLocalSocksProxy=False)
    with pytest.raises(OperatorError, match=r"Name an address of this machine\."):
        await run.task
    assert "SocksProxyPortInUse" not in run.types


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux binds to network interfaces")
@pytest.mark.parametrize("proxy", ["", "http://192.0.2.80:3128"])
async def test_all_that_a_client_dials_is_bound_to_the_interface(
    network: Network, server: MemoryServer, proxy: str
) -> None:
    run = Run([server.entry], BindInterface="lo", UpstreamProxyURL=proxy)
    if not proxy:
        await run.connected()
    with pytest.raises(NetworkError):
        await run.controller.connect_directly("192.0.2.81", 80, 5)
    await run.stop()
    assert run.told("BindToDevice") == [{"deviceInfo": "lo"}]
    assert ("192.0.2.80", 3128) in network.dialled if proxy else ("192.0.2.81", 80) in network.dialled
    assert set(network.devices) == {"lo"}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux binds to network interfaces")
async def test_an_interface_that_is_not_there_ends_the_run_before_anything_is_dialled(
    network: Network, server: MemoryServer
) -> None:
    run = Run([server.entry], BindInterface="nonesuch0", DisableLocalSocksProxy=False)
    with pytest.raises(OperatorError, match="nonesuch0 cannot be used: this machine has no such network"):
        await run.task
    assert run.types == ["SessionId", "Error", "Exiting"]
    assert network.dialled == []


async def test_a_local_proxy_that_can_accept_nobody_ends_the_run(server: MemoryServer) -> None:
    run = await Run([server.entry], DisableLocalSocksProxy=False).connected()
    (listener,) = run.controller._proxies._servers.values()
    asyncio.get_running_loop().remove_reader(listener.sockets[0].fileno())  # which would complain on its own
    with socket.socket(fileno=os.dup(listener.sockets[0].fileno())) as same:
        same.shutdown(socket.SHUT_RDWR)
    with pytest.raises(OperatorError, match="the local SOCKS proxy can accept no more connections"):
        await run.task
    assert "Error" in run.types


async def test_a_proxy_that_is_turned_off_does_not_listen(server: MemoryServer) -> None:
    run = await Run([server.entry], DisableLocalSocksProxy=False).connected()
    assert list(run.controller.ports) == ["Socks"]
    assert "ListeningHttpProxyPort" not in run.types
    await run.stop()
