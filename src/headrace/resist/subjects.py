"""Whose traffic is judged: clients and servers that make connections on loopback, as many as are wanted.

A subject is started once; `connect` makes connections, each of which logs in, moves some 120 KB and ends.
Ours is a server as an operator runs it, and tunnels dialled in this process: ten thousand take minutes.
"""

import asyncio
import json
import secrets
import sys
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from headrace.base.errors import HeadraceError, OperatorError
from headrace.base.rng import Rng
from headrace.client.api import Identity
from headrace.client.tunnel import Tunnel
from headrace.documents.client_config import read_client_config
from headrace.documents.server_entry import ServerEntry
from headrace.establishment.dial_parameters import choose
from headrace.establishment.dial_settings import DialSettings
from headrace.obfuscation.default_prefix import CLIENT_SPECS, FRAMED, default_prefixes
from headrace.obfuscation.prefix import PrefixSpecs
from headrace.resist.at_once import at_once
from headrace.resist.children import running
from headrace.resist.flows import Flow
from headrace.resist.ports import unused_ports
from headrace.server.generate import CONFIG_FILE, generate_server
from headrace.ssh.liveness import LivenessRequest

__all__ = ["MODES", "OurServer", "Ours", "Subject", "running_server"]

#: What each connection moves: bytes up and down, each drawn from a range.
UP: Final = (5_000, 15_000)
DOWN: Final = (105_000, 115_000)
#: Connections that are open at once.
AT_ONCE: Final = 8
#: Ours without a prefix.
BARE: Final = "bare"
#: How our connections may begin.
MODES: Final = (BARE, *CLIENT_SPECS)

Progress = Callable[[], None]


class Subject(ABC):
    """Something whose connections are captured. `http` says that they are to pass for HTTP.

    `framed` says that they are to pass for it to the end.
    """

    name: str
    port: int  #: where its server listens
    http: bool = False
    framed: bool = False

    @abstractmethod
    async def connect(self, count: int, done: Progress) -> None:
        """Make so many connections, one after the other or several at once. Raises HeadraceError."""

    def is_whole(self, flow: Flow) -> bool:
        """Say whether all is there that a connection moves: a capture may have lost some of it."""
        return bool(flow.first(up=True)) and len(flow.stream(up=False)) >= DOWN[0]


class OurServer:
    """A server process and what leads to it."""

    def __init__(self, entry: ServerEntry, directory: Path) -> None:
        self.entry = entry
        self.directory = directory
        self.port = entry.dial_port("OSSH")
        self.keyword = entry.ssh_obfuscated_key.encode()


@asynccontextmanager
async def running_server(directory: Path, **settings: object) -> AsyncIterator[OurServer]:
    """Run a new server of ours on loopback; the settings go over its configuration.

    Raises OperatorError if it does not start.
    """
    (port,) = unused_ports(1)
    generated = await asyncio.to_thread(generate_server, ip="127.0.0.1", protocols={"OSSH": port})
    generated.write(directory)
    config = directory / CONFIG_FILE
    settings = {"AllowBogons": True, "LoadLimits": {"LoadPerCore": 0, "AvailableMemoryBytes": 0}, **settings}
    config.write_text(json.dumps({**json.loads(config.read_text()), **settings}))
    words = ("server", "run", "--config", str(config), "--listen", "127.0.0.1", "--workers", "1")
    async with running(sys.executable, "-m", "headrace", *words, directory=directory) as process:
        await process.says("OSSH on port")
        process.ignore()
        yield OurServer(ServerEntry.decode(generated.entry), directory)


class Ours(Subject):
    """Our client and our server, with one of MODES; what is dialled may be another port that leads there."""

    def __init__(self, server: OurServer, mode: str, rng: Rng, *, name: str = "", dialled: int = 0) -> None:
        self.name, self.port = name or mode, server.port
        self.http, self.framed = mode.startswith("http"), mode in FRAMED
        self._entry = msgspec.structs.replace(server.entry, ssh_obfuscated_port=dialled or server.port)
        self._rng = rng
        prefixes = PrefixSpecs() if mode == BARE else default_prefixes((mode,))
        self._settings = DialSettings(shipped_prefixes=prefixes)
        config = json.dumps({"PropagationChannelId": "F" * 16, "SponsorId": "F" * 16})
        self._identity = Identity.from_config(read_client_config(config.encode()))

    async def connect(self, count: int, done: Progress) -> None:
        async def one() -> None:
            await self._one()
            done()

        await at_once(count, AT_ONCE, one)

    async def _one(self) -> None:
        rng = self._rng
        attempt = choose(self._entry, "OSSH", rng, settings=self._settings)
        attempt = replace(attempt, liveness=LivenessRequest(rng.between(*UP), rng.between(*DOWN)))
        identity = replace(self._identity, session_id=secrets.token_hex(16))
        tunnel = Tunnel(attempt, identity, rng, lambda name, payload: None)
        try:
            await tunnel.connect()
            await tunnel.handshake()
        except HeadraceError as error:
            raise OperatorError(f"a client could not connect: {error}") from error
        tunnel.close()
        await tunnel.ended
