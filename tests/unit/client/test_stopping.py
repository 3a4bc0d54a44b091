"""Stopping at any moment: within two seconds, and nothing is left, whatever was under way."""

import asyncio
import io
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.memory_network import (
    HANGS,
    Destination,
    MemoryServer,
    Network,
    Place,
    client_config,
    settle,
)
from tests.memory_storage import Storage
from tests.unit.client.test_server_lists import LIST, listed, now

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.errors import NetworkError
from headrace.base.rng import SeededRng
from headrace.client.controller import Controller
from headrace.client.data_directory import DataDirectory
from headrace.client.notices import NoticeOptions, Notices
from headrace.client.servers import StoredServers
from headrace.crypto.rsa_signing import PackageSigningKey
from headrace.documents.server_list import encode_list
from headrace.documents.signed_package import make_package
from headrace.store.client.store import ClientStore

pytestmark = pytest.mark.virtual_time

PORTS = (4001, 4002)
PROXY = ("192.0.2.80", 3128)
#: Seconds after the end by which any timer that was left would have struck.
LATER = 100.0


@pytest.fixture(scope="module")
def key() -> PackageSigningKey:
    return PackageSigningKey.generate(2048)


@pytest.fixture
def store() -> Iterator[ClientStore]:
    store = ClientStore.open(None, SYSTEM_CLOCK)
    yield store
    store.close()


class Stall(Destination):
    """Somewhere that takes whatever comes, and says nothing."""

    def eof_received(self) -> bool:
        return False


class Proxy(asyncio.Protocol):
    """An HTTP proxy that leads wherever something is; where nothing is, it does not answer."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._beyond: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.tcp = transport

    def data_received(self, data: bytes) -> None:
        if self._beyond is not None:
            self._beyond.write(data)
            return
        host, _, port = data.split(b" ")[1].decode().rpartition(":")
        place = self._network.places.get((host, int(port)))
        if callable(place):
            far = _FarSide(self)
            self._network._connect(far, place)
            self._beyond = far.tcp
            self.tcp.write(b"HTTP/1.1 200 OK\r\n\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        if self._beyond is not None:
            self._beyond.abort()


class _FarSide(asyncio.Protocol):
    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.tcp = transport

    def data_received(self, data: bytes) -> None:
        self._proxy.tcp.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._proxy.tcp.abort()


def crowd(network: Network, servers: list[MemoryServer], draw: random.Random) -> list[dict[str, object]]:
    """Return entries of servers that refuse, hang and stall, and of some that work after a while."""
    entries = [server.entry.fields for server in servers]
    for number in range(20, 45):
        address = f"192.0.2.{number}"
        entries.append({**entries[0], "ipAddress": address, "tag": f"dGFn{number:04d}"})
        place: Any = draw.choice([HANGS, NetworkError("Connection refused"), Stall])
        for port in PORTS:
            network.places[address, port] = place
    for server in servers:
        for port in PORTS:
            network.delays[server.address, port] = draw.random() * draw.choice([1, 20])
    local = {"localSource": "EMBEDDED", "localTimestamp": "2024-01-01T00:00:00Z", "allowUpstreamProxy": True}
    return [{**fields, **local} for fields in entries]


def lists(network: Network, key: PackageSigningKey, newcomer: MemoryServer, draw: random.Random) -> Storage:
    """Return storage with a list: it hangs, stalls, has nothing, is down, is cut short or as it should be."""
    storage = Storage(network)
    storage.objects[LIST] = make_package(encode_list([newcomer.entry.fields]), key)
    place = network.places[storage.host, storage.port]
    network.places[storage.host, storage.port] = draw.choice([HANGS, Stall, place, place, place])
    network.delays[storage.host, storage.port] = draw.random() * 5
    match draw.randrange(4):
        case 0:
            storage.down = True
        case 1:
            storage.objects.clear()
        case 2:
            storage.cut = lambda: 100
    return storage


def timers() -> list[str]:
    """Return what the loop would still do later for a client."""
    handles = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    return [repr(handle) for handle in handles if not handle.cancelled()]


@pytest.mark.parametrize("seed", range(200))
async def test_at_any_moment(
    seed: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, store: ClientStore, key: PackageSigningKey
) -> None:
    draw = random.Random(seed)
    network = Network.install(monkeypatch)
    pool = draw.choice([1, 3])
    servers = []
    for number in range(1, pool + 2):
        (tmp_path / str(number)).mkdir()
        servers.append(MemoryServer(network, tmp_path / str(number), f"192.0.2.{number}", sweeping=False))
    before = asyncio.all_tasks()
    settings: dict[str, Any] = {
        "TunnelPoolSize": pool,
        "LivenessTestMaxDownstreamBytes": draw.choice([0, 50_000]),
        "EstablishTunnelSelectionPolicy": draw.choice(["first-ready", "collect"]),
        "EstablishTunnelWorkTimeSeconds": draw.choice([1, 60]),  # after which lists are fetched
    }
    if draw.random() < 0.5:
        storage = lists(network, key, servers[-1], draw)
        settings |= {
            "RemoteServerListURLs": listed(storage.url(LIST)),
            "RemoteServerListSignaturePublicKey": key.public.to_text(),
        }
    if draw.random() < 0.3:
        settings["UpstreamProxyURL"] = f"http://{PROXY[0]}:{PROXY[1]}"
        proxies: list[Place] = [HANGS, Stall, *[lambda: Proxy(network)] * 3]
        network.places[PROXY] = draw.choice(proxies)
    for fields in crowd(network, servers[:-1], draw):
        store.entries.store(fields, replace=True)
    directory = DataDirectory(tmp_path)
    directory.make()
    told: list[str] = []
    notices = Notices(io.StringIO(), SYSTEM_CLOCK, NoticeOptions(diagnostics=True))
    notices.listen(lambda name, data: told.append(name))
    controller = Controller(
        client_config(DisableLocalSocksProxy=True, DisableLocalHTTPProxy=True, **settings),
        StoredServers(store),
        notices,
        SeededRng(seed),
        store=store,
        directory=directory,
    )
    task = asyncio.create_task(controller.run())
    await asyncio.sleep(draw.random() * draw.choice([0.1, 5, 30, 70]))
    if draw.random() < 0.3:  # amid making lost tunnels anew
        for server in servers:
            for session in list(server.sessions):
                session.socket.abort()
        await asyncio.sleep(draw.random() * 5)
    if draw.random() < 0.2:  # and over a path that has gone dead
        for wire in network.open:
            wire.stuck = True
    asked = now()
    controller.stop()
    await task
    assert now() - asked <= 2
    assert told[-1] == "Exiting"
    assert asyncio.all_tasks() == before
    for wire in network.wires:  # also those that were closed, whose last bytes are on their way
        wire.drain()
    await settle()
    assert network.open == []
    assert timers() == []
    dialled = len(network.dialled)
    await asyncio.sleep(LATER)
    assert len(network.dialled) == dialled
    assert asyncio.all_tasks() == before
