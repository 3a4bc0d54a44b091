"""Attack: somebody reads what a client wrote: what it printed, and every file it left behind.

A whole client runs in memory among servers that are blocked and one that is good, behind a proxy that wants
a password, with a liveness test. Then all that it wrote is searched.
"""

import asyncio
import base64
import io
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.memory_network import HANGS, Destination, MemoryServer, Network, client_config, settle
from tests.unit.net.test_upstream_proxy import PROXY, install

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.rng import SeededRng
from headrace.client.controller import Controller
from headrace.client.journal_file import JournalFile
from headrace.client.notice_files import NoticeFiles
from headrace.client.notices import NoticeOptions, Notices
from headrace.client.servers import StoredServers
from headrace.client.status import StatusBoard
from headrace.client.surroundings import Surroundings
from headrace.establishment.journal import Journal
from headrace.net.default_route import DefaultRoute
from headrace.net.network_id import network_id, network_salt
from headrace.server.api import ApiSession
from headrace.store.client.schema import TABLES
from headrace.store.client.store import FILE_NAME, ClientStore
from headrace.store.client.tables import AFFINITY

pytestmark = pytest.mark.virtual_time

USER, PASSWORD = "annika", "hunter2-is-secret"
LOGIN = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
CLIENT_ADDRESS = "192.0.2.1"  # by which every server in memory sees its clients
ROUTER = "02:00:5e:10:00:01"
#: Tables that hold what is known of servers, and therefore where they are; as does the value `AFFINITY`.
ABOUT_SERVERS = {"entry", "entry_tag", "dial_parameters"}


class Place(Surroundings):
    """A network whose ID says where one was."""

    def __init__(self, identity: str) -> None:
        self.identity = identity

    def network_id(self) -> str:
        return self.identity

    @property
    def network_type(self) -> str:
        return self.identity.partition("-")[0]


class Life:
    """A client's whole life, and what it wrote."""

    def __init__(self, directory: Path, servers: list[MemoryServer], **settings: Any) -> None:
        self.directory = directory
        self.stream = io.StringIO()
        (directory / "store").mkdir(parents=True)
        self.store = ClientStore.open(directory / "store", SYSTEM_CLOCK)
        salt = network_salt(self.store.values, SeededRng(4))
        route = DefaultRoute(interface="wlan0", gateway="192.168.77.1", hardware=ROUTER)
        self.network_id = network_id(route, salt)
        local = {"localSource": "EMBEDDED", "localTimestamp": "2026-01-01T00:00:00Z"}
        for server in servers:
            self.store.entries.store({**server.entry.fields, **local}, replace=True)
        options = NoticeOptions(diagnostics=True, bytes_transferred=True, server_alerts=True)
        self.notices = Notices(self.stream, SYSTEM_CLOCK, options, NoticeFiles(directory))
        self.journal = Journal()
        self.board = StatusBoard(SYSTEM_CLOCK, process=1)
        self.notices.listen(self.board.hear)
        self.heard: set[str] = set()  # types of notices, also of those that are not shown
        self.notices.listen(lambda name, data: self.heard.add(name))
        self.controller = Controller(
            client_config(DisableLocalSocksProxy=True, DisableLocalHTTPProxy=True, **settings),
            StoredServers(self.store),
            self.notices,
            SeededRng(9),
            store=self.store,
            surroundings=Place(self.network_id),
            journal=self.journal,
        )
        self.answers: list[bytes] = []

    async def live(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        async with JournalFile(self.directory).following(self.journal, SYSTEM_CLOCK):
            task = asyncio.create_task(self.controller.run())
            await self.controller.connected.wait()
            await asyncio.sleep(60)
            self.answers.append((self.directory / "establishment.json").read_bytes())
            meanwhile()
            await asyncio.sleep(700)
            record = self.journal.record(0.0)
            assert record is not None
            self.answers += [record.to_json(), repr(self.board.status()).encode()]
            self.controller.stop()
            await task
        await settle()

    def written(self) -> dict[str, bytes]:
        """All of it, by where it stands, but for the tables about servers."""
        told = {"stream": self.stream.getvalue().encode(), "answers": b"\n".join(self.answers)}
        for path in self.directory.glob("*"):
            if path.is_file():
                told[path.name] = path.read_bytes()
        with closing(sqlite3.connect(self.directory / "store" / FILE_NAME)) as database:
            for table in set(TABLES) - ABOUT_SERVERS:
                rows = database.execute(f"SELECT * FROM {table}").fetchall()
                told[table] = repr([row for row in rows if row[0] != AFFINITY]).encode()
        return told


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network.install(monkeypatch)


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every API request that a server got."""
    seen: list[bytes] = []
    answer = ApiSession.answer

    def record(self: ApiSession, name: bytes, payload: bytes) -> bytes | None:
        seen.append(bytes(payload))
        return answer(self, name, payload)

    monkeypatch.setattr(ApiSession, "answer", record)
    return seen


@pytest_asyncio.fixture
async def servers(network: Network, tmp_path: Path) -> list[MemoryServer]:
    """Three that are blocked, each in its own way, and one that is good after a while."""
    servers = [MemoryServer(network, tmp_path / str(n), f"192.0.2.{n}") for n in range(11, 15)]
    for server, place in zip(servers, (None, HANGS, Destination), strict=False):
        for port in (4001, 4002):
            if place is None:
                del network.places[server.address, port]
            else:
                network.places[server.address, port] = place
    good = {
        (servers[3].address, port): network.places.pop((servers[3].address, port)) for port in (4001, 4002)
    }
    asyncio.get_running_loop().call_later(20, network.places.update, good)
    return servers


LIVENESS = {
    f"LivenessTest{bound}{way}Bytes": 5000 for bound in ("Min", "Max") for way in ("Upstream", "Downstream")
}


@pytest.mark.parametrize("proxied", [True, False], ids=["proxied", "direct"])
async def test_nothing_says_where_servers_are_or_how_to_get_past_the_proxy(
    network: Network, servers: list[MemoryServer], requests: list[bytes], tmp_path: Path, proxied: bool
) -> None:
    settings: dict[str, Any] = dict(LIVENESS)
    if proxied:
        install(network, "http", login=LOGIN)
        settings["UpstreamProxyURL"] = f"http://{USER}:{PASSWORD}@{PROXY[0]}:{PROXY[1]}"
    life = Life(tmp_path / "client", servers, **settings)

    def lose() -> None:
        for session in list(servers[3].sessions):
            session.socket.abort()

    await life.live(lose)
    life.store.close()
    told = life.written()
    # It did all there was to tell of.
    assert "LivenessTest" in life.heard
    assert b'"outcome":"failed"' in told["answers"]
    assert b"tunnel_error" in told["statistic"] or any(b"tunnel_error" in request for request in requests)
    assert (PROXY in network.dialled) == proxied
    secrets = {USER, PASSWORD, LOGIN, PROXY[0], CLIENT_ADDRESS, ROUTER, "192.168.77.1"}
    for server in servers:
        fields = server.entry.fields
        secrets.add(server.address)
        secrets |= {
            str(fields[name])
            for name in ("sshPassword", "sshObfuscatedKey", "sshHostKey", "webServerSecret")
            if fields.get(name)
        }
    leaks = [(place, secret) for place, text in told.items() for secret in secrets if secret.encode() in text]
    assert leaks == []


async def test_the_networks_id_stays_here(
    network: Network, servers: list[MemoryServer], requests: list[bytes], tmp_path: Path
) -> None:
    """It is in the store, where it says which choices worked. Neither notices nor servers hear of it."""
    life = Life(tmp_path / "client", servers)
    await life.live()
    kind, _, digest = life.network_id.partition("-")
    salt = network_salt(life.store.values, SeededRng(5))
    life.store.close()
    assert len(digest) == 16
    assert any(kind.encode() in request for request in requests)
    told = b"".join([*(text for name, text in life.written().items() if name != "value"), *requests])
    assert digest.encode() not in told
    assert salt not in told
    assert salt.hex().encode() not in told


def test_the_networks_id_is_another_on_another_machine() -> None:
    """The same router has unlike IDs with unlike salts: a stolen store cannot be compared with others."""
    route = DefaultRoute(interface="wlan0", gateway="192.168.77.1", hardware=ROUTER)
    assert len({network_id(route, bytes([salt]) * 32) for salt in range(50)}) == 50
