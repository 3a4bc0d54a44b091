"""Attacks: a server that gets clients to leave the tunnel, and somebody who reads what went past it."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.geoip_database import write_database
from tests.memory_network import Destination, MemoryServer, Network, settle
from tests.security.test_what_is_told import Life

from headrace.client.forward_stream import ForwardFailed, open_stream
from headrace.client.local_socks import SocksConnection
from headrace.client.proxy_options import ProxyOptions
from headrace.server.api import ApiSession
from headrace.server.forwards import PortForwards
from headrace.ssh import numbers
from headrace.ssh.channel import Channel
from headrace.ssh.forwarding import Destination as Target
from headrace.testing.fake_tcp import FakeTcp

pytestmark = pytest.mark.virtual_time

EXCLUDED, AT_HOME = "clinic.example", "bank.example"
#: Every way of not having asked a server which destinations to reach directly.
NOT_ASKED: list[dict[str, Any]] = [{}, {"SplitTunnelExcludedHosts": [EXCLUDED]}]


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network.install(monkeypatch)


@pytest_asyncio.fixture
async def server(network: Network, tmp_path: Path) -> AsyncIterator[MemoryServer]:
    """One that sees its clients in the country where the bank is."""
    database = write_database(tmp_path / "geoip.mmdb", {"192.0.2.0/24": "DE", "8.8.8.0/24": "DE"})
    names = {AT_HOME: ["8.8.8.8"], EXCLUDED: ["9.9.9.9"]}
    directory = tmp_path / "server"
    yield MemoryServer(network, directory, names=names, GeoIPDatabaseFilenames=[str(database)])


def application(life: Life, host: str) -> FakeTcp:
    """Return an application's connection, by way of the SOCKS proxy."""
    tcp = FakeTcp(SocksConnection(life.controller, ProxyOptions()))
    tcp.arrive(b"\x05\x01\x00\x05\x01\x00\x03" + bytes([len(host)]) + host.encode() + b"\x00\x50")
    return tcp


@pytest.mark.parametrize("settings", NOT_ASKED, ids=["nothing", "a list"])
async def test_a_server_that_was_not_asked_gets_nobody_to_leave_the_tunnel(
    network: Network,
    server: MemoryServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
) -> None:
    def go_away(self: PortForwards, channel: Channel, destination: Target, **options: Any) -> None:
        channel.refuse(numbers.SPLIT_TUNNEL, "")

    monkeypatch.setattr(PortForwards, "open", go_away)
    network.places[AT_HOME, 80] = network.places["8.8.8.8", 80] = Destination
    life = Life(tmp_path / "client", [server], **settings)
    task = asyncio.create_task(life.controller.run())
    await life.controller.connected.wait()
    network.dialled.clear()
    for host in (AT_HOME, "8.8.8.8"):
        for _ in range(2):  # nor is it remembered
            tcp = application(life, host)
            await settle()
            assert tcp.written[2:4] == b"\x05\x05"
            with pytest.raises(ForwardFailed):
                await open_stream(life.controller, Target(host, 80))
    assert network.dialled == []
    assert "Untunneled" not in life.heard
    life.controller.stop()
    await task
    life.store.close()


async def test_what_went_past_the_tunnel_is_shown_and_nowhere_kept(
    network: Network, server: MemoryServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[bytes] = []
    answer = ApiSession.answer

    def record(self: ApiSession, name: bytes, payload: bytes) -> bytes | None:
        requests.append(bytes(payload))
        return answer(self, name, payload)

    monkeypatch.setattr(ApiSession, "answer", record)
    network.places[EXCLUDED, 80] = network.places[AT_HOME, 80] = Destination
    settings = {"SplitTunnelOwnRegion": True, "SplitTunnelExcludedHosts": [EXCLUDED]}
    life = Life(tmp_path / "client", [server], **settings)
    applications: list[FakeTcp] = []
    await life.live(lambda: applications.extend(application(life, host) for host in (EXCLUDED, AT_HOME)))
    assert [tcp.written[2:4] for tcp in applications] == [b"\x05\x00"] * 2
    for tcp in applications:
        tcp.abort()
    await settle()
    life.store.close()
    told = life.written()
    lines = [json.loads(line) for line in told.pop("stream").splitlines()]
    for host in (EXCLUDED, AT_HOME):
        mentions = {line["noticeType"] for line in lines if host in json.dumps(line)}
        assert mentions == {"Untunneled"}
        assert [place for place, text in told.items() if host.encode() in text] == []
        assert not any(host.encode() in request for request in requests)
    assert b"Untunneled" not in b"".join(told.values())
