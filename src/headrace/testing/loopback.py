"""A whole small network on loopback, in this process: an origin, a server, a client with its local proxies.

async with LoopbackNetwork(protocol="OSSH", prefix=True) as network:
    curl(network.socks_port, network.origin.url("/bytes/1000"))
"""

import asyncio
import io
import json
import logging
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import msgspec

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.logging import JsonFormatter
from headrace.client.controller import Controller
from headrace.client.notices import NoticeOptions, Notices
from headrace.client.servers import FixedServers
from headrace.documents.client_config import read_client_config
from headrace.documents.server_config import read_server_config
from headrace.documents.server_entry import ServerEntry
from headrace.server.generate import CONFIG_FILE, generate_server
from headrace.server.shared import Shared
from headrace.server.worker import Worker
from headrace.store.seed_history import SeedHistory
from headrace.testing.origin import Origin
from headrace.testing.peers import host_key

__all__ = ["PORT_FIELDS", "LoopbackNetwork", "LoopbackServer"]

#: The entry's field for a tunnel protocol's port.
PORT_FIELDS = {"OSSH": "sshObfuscatedPort", "SSH": "sshPort"}


class LoopbackServer:
    """A server on ports the system chooses; `entry` leads to it. `settings` go over its configuration.

    Servers that one client is to know need an `address` each: any in 127.0.0.0/8, on Linux.
    """

    def __init__(self, *, address: str = "127.0.0.1", **settings: Any) -> None:
        self.address = address
        self._settings = {"AllowBogons": True, **settings}
        self._stack = AsyncExitStack()
        self.worker: Worker
        self.entry: ServerEntry

    async def __aenter__(self) -> Self:
        directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        ports = {"OSSH": 1, "SSH": 2}  # real ones are not known yet
        generated = generate_server(ip=self.address, protocols=ports, host_key=host_key("rsa"))
        generated.write(directory)
        config = read_server_config((directory / CONFIG_FILE).read_bytes(), overrides=self._settings)
        config = msgspec.structs.replace(config, tunnel_protocol_ports=dict.fromkeys(ports, 0))
        history = SeedHistory(directory / "seeds.sqlite", SYSTEM_CLOCK)
        self._stack.callback(history.close)
        self.worker = Worker(Shared.load(config, directory, history.seen))
        await self.worker.start(self.address)
        self._stack.push_async_callback(self.worker.stop)
        fields = dict(ServerEntry.decode(generated.entry).fields)
        fields |= {PORT_FIELDS[name]: port for name, port in self.worker.ports.items()}
        self.entry = ServerEntry.from_fields(fields)
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self._stack.aclose()


class LoopbackNetwork:
    """One server, one client, one origin. `client` and `server` go over the two configurations.

    The client knows the server, and the `others`.
    """

    def __init__(
        self,
        protocol: str = "OSSH",
        *,
        prefix: bool = False,
        client: dict[str, Any] | None = None,
        server: dict[str, Any] | None = None,
        others: Sequence[ServerEntry] = (),
    ) -> None:
        settings: dict[str, Any] = {"LimitTunnelProtocols": [protocol]}
        if not prefix:
            settings["ShippedPrefixes"] = []
        self._client_settings = settings | (client or {})
        self.server = LoopbackServer(**(server or {}))
        self._others = others
        self.origin = Origin()
        self.controller: Controller
        self._stack = AsyncExitStack()
        self._notices = io.StringIO()
        self._log = io.StringIO()

    @property
    def socks_port(self) -> int:
        return self.controller.ports["Socks"]

    @property
    def http_port(self) -> int:
        return self.controller.ports["Http"]

    @property
    def notices(self) -> list[dict[str, Any]]:
        """What the client has told so far."""
        return [json.loads(line) for line in self._notices.getvalue().splitlines()]

    @property
    def log(self) -> str:
        """What everything in this process has logged so far, as the server would write it."""
        return self._log.getvalue()

    async def __aenter__(self) -> Self:
        self._capture_log()
        await self._stack.enter_async_context(self.origin)
        await self._stack.enter_async_context(self.server)
        names = {"PropagationChannelId": "F" * 16, "SponsorId": "F" * 16}
        config = read_client_config(json.dumps(names).encode(), overrides=self._client_settings)
        notices = Notices(self._notices, SYSTEM_CLOCK, NoticeOptions.from_config(config))
        self.controller = Controller(config, FixedServers([self.server.entry, *self._others]), notices)
        self._run = asyncio.create_task(self.controller.run())
        self._stack.push_async_callback(self._stop)
        connected = asyncio.create_task(self.controller.connected.wait())
        await asyncio.wait((self._run, connected), return_when=asyncio.FIRST_COMPLETED)
        if self._run.done():
            connected.cancel()
            await self._run
            raise ConnectionError("the client ended without having connected")
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self._stack.aclose()

    async def _stop(self) -> None:
        self.controller.stop()
        await self._run

    def _capture_log(self) -> None:
        handler = logging.StreamHandler(self._log)
        handler.setFormatter(JsonFormatter(()))
        root = logging.getLogger()
        level = root.level
        root.addHandler(handler)
        root.setLevel(logging.INFO)
        self._stack.callback(root.setLevel, level)
        self._stack.callback(root.removeHandler, handler)
