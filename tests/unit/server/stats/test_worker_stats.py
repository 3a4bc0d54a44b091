"""What a worker tells of its sessions: their numbers while they last, an event when they end."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.geoip_database import Everywhere
from tests.memory_network import Destination, MemoryServer, Network, make_tunnel, settle

from headrace.client.tunnel import Tunnel
from headrace.server.geoip import Place
from headrace.server.stats.snapshot import Snapshot, client_key
from headrace.ssh.forwarding import DIRECT_TCPIP, LIVENESS
from headrace.ssh.forwarding import Destination as Target
from headrace.testing.peers import RecordingEndpoint

pytestmark = pytest.mark.virtual_time

ORIGIN = ("8.8.8.8", 80)
HERE = client_key("OSSH", "None", "None")


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    network = Network.install(monkeypatch)
    network.places[ORIGIN] = Destination
    return network


@pytest.fixture
def server(network: Network, tmp_path: Path) -> MemoryServer:
    return MemoryServer(network, tmp_path, EventLogFilename="events.log", names={"example.org": ["8.8.8.8"]})


async def connected(server: MemoryServer, *, handshake: bool = True) -> Tunnel:
    tunnel = make_tunnel(server.entry)
    await tunnel.connect()
    if handshake:
        await tunnel.handshake()
    return tunnel


async def fetch(tunnel: Tunnel, host: str, request: bytes) -> RecordingEndpoint:
    endpoint = RecordingEndpoint()
    channel = tunnel.open_channel(DIRECT_TCPIP, Target(host, ORIGIN[1]).encode(), endpoint)
    await settle()
    channel.send(request)
    await settle()
    return endpoint


def events(tmp_path: Path, name: str) -> list[dict[str, Any]]:
    file = tmp_path / "events.log"
    lines = file.read_text().splitlines() if file.exists() else []
    return [event for event in map(json.loads, lines) if event["event_name"] == name]


async def test_a_tunnel_from_its_begin_to_its_end(server: MemoryServer, tmp_path: Path) -> None:
    tunnel = await connected(server)
    await fetch(tunnel, "example.org", b"x" * 100)
    await fetch(tunnel, "8.8.8.8", b"y" * 10)
    now = server.worker.snapshot()
    assert (now.tunnels, now.connections, now.tcp_forwards) == ({HERE: 1}, {HERE: 1}, 2)
    assert now.counts["tunnel.OSSH"] == now.counts["accepted.OSSH"] == 1
    assert now.counts["bytes.tcp_up"] == 110
    assert sum(now.handshake_seconds.groups) == 1
    assert events(tmp_path, "server_tunnel") == []
    await asyncio.sleep(12.5)
    tunnel.abort()
    await settle()
    (event,) = events(tmp_path, "server_tunnel")
    assert event["relay_protocol"] == "OSSH"
    assert event["sponsor_id"] == "F" * 16
    assert event["client_region"] == "None"
    assert event["handshake_completed"] is True
    assert event["is_first_tunnel_in_session"] is True
    assert event["bytes_up_tcp"] == 110
    assert event["bytes"] == event["bytes_up_tcp"] + event["bytes_down_tcp"]
    assert event["ssh_protocol_bytes_overhead"] > 0
    assert event["total_port_forward_count_tcp"] == 2
    assert event["total_domain_port_forward_count_tcp"] == 1
    assert 12_500 <= event["duration"] < 13_500
    over = server.worker.snapshot()
    assert (over.tunnels, over.connections, over.tcp_forwards) == ({}, {}, 0)
    for name in ("bytes.tcp_up", "bytes.tcp_down", "forward.tcp", "tunnel.OSSH"):
        assert over.counts.get(name, 0) == now.counts.get(name, 0)
    assert over.counts["event.server_tunnel"] == 1


async def test_the_tunnels_id_is_its_own_and_not_the_clients(server: MemoryServer, tmp_path: Path) -> None:
    for _ in range(2):
        tunnel = await connected(server)
        tunnel.abort()
        await settle()
    one, other = (event["session_id"] for event in events(tmp_path, "server_tunnel"))
    assert one != other
    assert tunnel.identity.session_id not in (one, other)
    assert tunnel.identity.session_id not in (tmp_path / "events.log").read_text()


async def test_a_tunnel_that_said_nothing_of_itself(server: MemoryServer, tmp_path: Path) -> None:
    tunnel = await connected(server, handshake=False)
    tunnel.open_channel(LIVENESS, b'{"u":3,"d":4}', RecordingEndpoint())
    await settle()
    tunnel.abort()
    await settle()
    (event,) = events(tmp_path, "server_tunnel")
    assert event["handshake_completed"] is False
    assert event["pre_handshake_random_stream_count"] == 1
    assert event["pre_handshake_random_stream_downstream_bytes"] == 4
    assert "sponsor_id" not in event


async def test_strangers_and_clients_that_give_up(server: MemoryServer, tmp_path: Path) -> None:
    server.probe().arrive(bytes(100_000))
    server.probe().arrive(server.preamble(1))
    server.probe()
    assert server.worker.snapshot().strangers == 1
    (event,) = events(tmp_path, "irregular_tunnel")
    assert event["tunnel_error"] == "neither a seed message nor a prefix"
    assert (event["listener_protocol"], event["listener_port_number"]) == ("OSSH", 4001)
    await asyncio.sleep(server.worker.shared.patience.limit + 60)
    counts = server.worker.counts
    assert (counts["stranger.no_terminator"], counts["handshake_failed.timeout"]) == (1, 2)


async def test_networks_that_the_operator_asks_for(network: Network, tmp_path: Path) -> None:
    server = MemoryServer(network, tmp_path, EventLogFilename="events.log", DestinationBytesASNs=["64500"])

    class Networks(Everywhere):
        def asn(self, address: str) -> str:
            return "64500" if address == ORIGIN[0] else "64501"

        def place(self, address: str) -> Place:
            return Place("CH", asn=self.asn(address))

    server.worker.reload(replace(server.worker.shared, geo_ip=Networks("CH")))
    tunnel = await connected(server)
    await fetch(tunnel, "8.8.8.8", b"y" * 10)
    tunnel.abort()
    await settle()
    assert events(tmp_path, "asn_dest_bytes") == []
    await server.worker.stop()
    (event,) = events(tmp_path, "asn_dest_bytes")
    assert (event["asn"], event["client_region"], event["client_asn"]) == ("64500", "CH", "64501")
    assert event["bytes_tcp"] == event["bytes"] >= 10


async def test_destinations_are_told_each_period(server: MemoryServer, tmp_path: Path) -> None:
    telling = server.worker.spawn(server.worker.stats.flush(300))
    place = server.worker.shared.geo_ip.place("8.8.8.8")
    server.worker.shared.destinations.add_domain("example.org", place, {}, 5)
    await asyncio.sleep(299)
    assert events(tmp_path, "domain_dest_bytes") == []
    await asyncio.sleep(2)
    assert [event["bytes"] for event in events(tmp_path, "domain_dest_bytes")] == [5]
    telling.cancel()


async def test_a_paused_worker_says_so(server: MemoryServer) -> None:
    assert server.worker.snapshot().accepting == 1
    server.worker.door.pause("memory")
    now = server.worker.snapshot()
    assert (now.accepting, now.workers) == (0, 1)


async def test_snapshots_are_no_windows(server: MemoryServer) -> None:
    before = server.worker.snapshot()
    await connected(server)
    assert before.tunnels == {}
    assert sum(before.handshake_seconds.groups) == 0
    assert isinstance(before + server.worker.snapshot(), Snapshot)


async def test_servers_that_a_client_asks_about(server: MemoryServer, tmp_path: Path) -> None:
    tunnel = await connected(server)
    base = {"propagation_channel_id": "F" * 16, "sponsor_id": "F" * 16, "client_version": "1"}
    status = {**base, "client_platform": "Linux", "statusData": {"check_server_entry_tags": ["a", "b"]}}
    for _ in range(2):
        await tunnel.request(b"psiphon-status", json.dumps(status).encode())
    tunnel.abort()
    await settle()
    (event,) = events(tmp_path, "server_tunnel")
    assert event["request_check_server_entry_tags"] == 2
    assert event["checked_server_entry_tags"] == 4
    assert event["invalid_server_entry_tags"] == 0
