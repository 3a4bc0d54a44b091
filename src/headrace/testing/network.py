"""A whole network on loopback, in this process: servers, a censor before each, published lists, clients.

    async with CensoredNetwork(3) as network:
        network.servers[0].decree(REFUSE)
        network.servers[1].decree(Rule(STALL, down=600))
        async with network.client() as client:
            await client.connected()
            assert await client.fetch(network.origin.url()) == PAGE

Servers and censors have addresses of their own, 127.33.0.0/16 and 127.32.0.0/16: a client knows the censors'.
All censors share a clock, which begins with the network, so measures may be shared by several of them.
"""

import asyncio
import base64
import io
import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, Self

import httpx

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.rng import SYSTEM_RNG, Rng
from headrace.client.controller import Controller
from headrace.client.data_directory import DataDirectory
from headrace.client.notices import NoticeOptions, Notices
from headrace.client.servers import StoredServers
from headrace.crypto.rsa_signing import PackageSigningKey
from headrace.documents.client_config import read_client_config
from headrace.documents.server_entry import ServerEntry
from headrace.documents.server_list import encode_list
from headrace.documents.signed_package import make_package
from headrace.store.client.store import ClientStore
from headrace.testing.censor import Censor, Passage, Rules
from headrace.testing.loopback import PORT_FIELDS, LoopbackServer
from headrace.testing.origin import Origin
from headrace.testing.storage import Storage

__all__ = ["LIST", "CensoredNetwork", "CensoredServer", "Client"]

#: Where the common list is published.
LIST: Final = "/server_list_compressed"


class CensoredServer:
    """A server that clients reach past a censor. `entry` is what they know of it."""

    def __init__(
        self, number: int, rules: Rules, protocols: Sequence[str], epoch: float, settings: Mapping[str, Any]
    ) -> None:
        self.address = f"127.32.{number // 250}.{number % 250 + 1}"
        self.server = LoopbackServer(address=f"127.33.{number // 250}.{number % 250 + 1}", **settings)
        self.censors: dict[str, Censor] = {}  #: by tunnel protocol
        self.entry: ServerEntry
        self._rules = rules
        self._protocols = protocols
        self._epoch = epoch
        self._stack = AsyncExitStack()

    @property
    def connections(self) -> list[Passage]:
        """All connections there have been, one protocol after the other."""
        return [passage for censor in self.censors.values() for passage in censor.connections]

    def decree(self, rules: Rules) -> None:
        """Have its censors apply other rules, to connections to come."""
        for censor in self.censors.values():
            censor.decree(rules)

    async def drop(self) -> None:
        """Reset what is connected to it now."""
        for censor in self.censors.values():
            await censor.drop()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.server)
        fields = {**self.server.entry.fields, "ipAddress": self.address, "capabilities": self._capabilities()}
        for name in self._protocols:
            censor = Censor(
                self.server.worker.ports[name],
                target_host=self.server.address,
                rules=self._rules,
                host=self.address,
                epoch=self._epoch,
            )
            self.censors[name] = await self._stack.enter_async_context(censor)
            fields[PORT_FIELDS[name]] = censor.port
        self.entry = ServerEntry.from_fields(fields)
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self._stack.aclose()

    def _capabilities(self) -> list[str]:
        others = set(PORT_FIELDS) - set(self._protocols)
        return [name for name in self.server.entry.capabilities if name not in others]


class Client:
    """A client, running while the `async with` block does."""

    def __init__(self, controller: Controller, store: ClientStore, stream: io.StringIO) -> None:
        self.controller = controller
        self.store = store
        self._stream = stream
        self._run: asyncio.Task[None] | None = None

    @property
    def socks_port(self) -> int:
        return self.controller.ports["Socks"]

    @property
    def http_port(self) -> int:
        return self.controller.ports["Http"]

    @property
    def notices(self) -> list[dict[str, Any]]:
        """What it has told so far."""
        return [json.loads(line) for line in self._stream.getvalue().splitlines()]

    def told(self, kind: str) -> list[dict[str, Any]]:
        """Return the data of its notices of a kind, so far."""
        return [notice["data"] for notice in self.notices if notice["noticeType"] == kind]

    async def connected(self) -> None:
        """Wait for a tunnel. Raises ConnectionError if the client ends without one."""
        assert self._run is not None
        waiting = asyncio.create_task(self.controller.connected.wait())
        await asyncio.wait((self._run, waiting), return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            waiting.cancel()
            await self._run
            raise ConnectionError("the client ended without having connected")

    async def fetch(self, url: str) -> bytes:
        """Fetch something through the client's HTTP proxy. Raises httpx.HTTPError."""
        proxy = f"http://127.0.0.1:{self.http_port}"
        async with httpx.AsyncClient(proxy=proxy, trust_env=False, timeout=60.0) as http:
            return (await http.get(url)).raise_for_status().content

    async def __aenter__(self) -> Self:
        self._run = asyncio.create_task(self.controller.run())
        return self

    async def __aexit__(self, *_exception: object) -> None:
        assert self._run is not None
        self.controller.stop()
        try:
            await self._run
        finally:
            self.store.close()


class CensoredNetwork:
    """Servers, each behind a censor, storage with their list, and an origin to fetch from.

    `rules` hold at every server until one of them is told others. `server` goes over the servers'
    configuration. Networks that one client is to know of number their servers from different `first` ones.
    """

    def __init__(
        self,
        servers: int = 3,
        *,
        rules: Rules = (),
        protocols: Sequence[str] = ("OSSH",),
        server: Mapping[str, Any] | None = None,
        first: int = 0,
    ) -> None:
        self.origin = Origin()
        self.storage = Storage()
        self.key = PackageSigningKey.generate(2048)  #: signs the list
        self.servers: list[CensoredServer] = []
        self.epoch = 0.0
        self._count = servers
        self._first = first
        self._rules = rules
        self._protocols = protocols
        self._settings = server or {}
        self._stack = AsyncExitStack()
        self._directory: Path

    @property
    def time(self) -> float:
        """Seconds since the network began, as its censors count them."""
        return asyncio.get_running_loop().time() - self.epoch

    async def add_server(self) -> CensoredServer:
        """Start another server; nobody knows of it yet."""
        added = CensoredServer(
            self._first + len(self.servers), self._rules, self._protocols, self.epoch, self._settings
        )
        self.servers.append(await self._stack.enter_async_context(added))
        return added

    def publish(self, servers: Iterable[CensoredServer] | None = None) -> str:
        """Publish the list of these servers, or of all; return its URL."""
        chosen = self.servers if servers is None else servers
        text = encode_list(dict(server.entry.fields) for server in chosen)
        return self.storage.put(LIST, make_package(text, self.key))

    def client(
        self,
        knows: Iterable[CensoredServer] | None = None,
        *,
        name: str = "client",
        rng: Rng = SYSTEM_RNG,
        **settings: Any,
    ) -> Client:
        """Return a client that has these servers built in, or all, and fetches the list when it needs to.

        What it learns is found by the next one of the same `name`. `settings` go over its configuration.
        """
        directory = self._directory / name
        directory.mkdir(exist_ok=True)
        data = DataDirectory(directory)
        data.make()
        url = base64.b64encode(self.storage.url(LIST).encode()).decode()
        fields = {
            "PropagationChannelId": "F" * 16,
            "SponsorId": "F" * 16,
            "DataRootDirectory": str(directory),
            "EmitDiagnosticNotices": True,
            "RemoteServerListURLs": [{"URL": url}],
            "RemoteServerListSignaturePublicKey": self.key.public.to_text(),
        }
        config = read_client_config(json.dumps(fields).encode(), overrides=settings)
        stream = io.StringIO()
        notices = Notices(stream, SYSTEM_CLOCK, NoticeOptions.from_config(config))
        store = ClientStore.open(data.store, SYSTEM_CLOCK, notify=notices.warning)
        lines = [server.entry.encode() for server in (self.servers if knows is None else knows)]
        controller = Controller(
            config,
            StoredServers(store),
            notices,
            rng,
            store=store,
            directory=data,
            embedded={"the network": lines},
        )
        return Client(controller, store, stream)

    async def __aenter__(self) -> Self:
        self.epoch = asyncio.get_running_loop().time()
        self._directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        await self._stack.enter_async_context(self.origin)
        await self._stack.enter_async_context(self.storage)
        for _ in range(self._count):
            await self.add_server()
        self.publish()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self._stack.aclose()
