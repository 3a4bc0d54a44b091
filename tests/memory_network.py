"""A network in memory: real clients and real server sessions, whose connections are made without a socket.

    Tunnel ──► Network.dial ──► Wire ◄──► Wire ──► Session ──► Network.dial ──► Wire ◄──► Wire ──► destination

`Network.install` takes the place of `net.dial.dial` at both ends. Nothing waits for real time, so whole lives
pass on virtual time, and `Network.open` shows at any moment what has not been closed.
"""

import asyncio
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import pytest

from headrace.base.errors import ConnectTimeout, NetworkError
from headrace.base.rng import Rng, SeededRng
from headrace.client.api import Identity
from headrace.client.tunnel import Tunnel
from headrace.documents.client_config import ClientConfig, read_client_config
from headrace.documents.server_config import read_server_config
from headrace.documents.server_entry import ServerEntry
from headrace.establishment.dial_parameters import choose
from headrace.establishment.dial_settings import DialSettings
from headrace.net.resolve import Answer, Resolver
from headrace.obfuscation.prefix import PrefixSpecs
from headrace.obfuscation.seed_history import SeedMemory
from headrace.server.generate import CONFIG_FILE, TRAFFIC_RULES_FILE, generate_server
from headrace.server.session import Session
from headrace.server.shared import Shared
from headrace.server.worker import Worker
from headrace.testing.fake_tcp import FakeTcp
from headrace.testing.peers import host_key
from headrace.transports import ClientSide, tunnel_protocol

__all__ = [
    "HANGS",
    "Destination",
    "MemoryServer",
    "Network",
    "Place",
    "Wire",
    "client_config",
    "make_tunnel",
    "settle",
]

P = TypeVar("P", bound=asyncio.BaseProtocol)

#: Each client draws its own: a seed seen before is a replay.
_seeds = itertools.count(1000)
#: An address where nobody answers, not even to refuse.
HANGS: Final = "hangs"


class Wire(FakeTcp):
    """One end of a connection in memory; what is written arrives at the other when the loop gets to it."""

    def __init__(self, protocol: asyncio.BaseProtocol) -> None:
        self._line = bytearray()  # written, and not yet at the peer's
        self._peer: Wire | None = None
        self._scheduled = False
        self._ending = False  # our FIN follows what is on the line
        super().__init__(protocol)

    def join(self, peer: "Wire") -> None:
        """Connect the two ends."""
        self._peer, peer._peer = peer, self
        self._schedule()
        peer._schedule()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        super().write(data)
        self._line += data
        if not self.stuck:
            self._schedule()

    def write_eof(self) -> None:
        super().write_eof()
        self._ending = True
        self._schedule()

    def resume_reading(self) -> None:
        super().resume_reading()
        if self._peer is not None:
            self._peer._schedule()

    def drain(self) -> None:
        super().drain()
        self._schedule()

    def abort(self) -> None:
        if not self._lost:
            self._line.clear()
            super().abort()
            if self._peer is not None:
                self._peer._reset()

    def close(self) -> None:
        super().close()
        self._ending = True
        self._schedule()

    def _reset(self) -> None:
        if not self._lost:
            self._note("reset")
            self._closing = self._lost = True
            self._loop.call_soon(self._protocol.connection_lost, ConnectionResetError())

    def _schedule(self) -> None:
        if self._peer is not None and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        self._scheduled = False
        peer = self._peer
        if peer is None or self.stuck:
            return
        taken = peer.arrive(bytes(self._line))
        del self._line[:taken]
        if self._ending and not self._line and peer.reading and not peer.is_closing():
            self._ending = False
            peer.finish()


@dataclass
class Destination(asyncio.Protocol):
    """Somewhere a port forward leads: keeps what arrives, and answers when the test says so."""

    received: bytearray = field(default_factory=bytearray)
    finished: bool = False  #: the other side has half-closed
    lost: bool = False
    tcp: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.tcp = transport

    def data_received(self, data: bytes) -> None:
        self.received += data

    def eof_received(self) -> bool:
        self.finished = True
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True

    def send(self, data: bytes) -> None:
        assert self.tcp is not None
        self.tcp.write(data)


Place = Callable[[], asyncio.BaseProtocol] | str | NetworkError


class Network:
    """Who answers where. An address that nobody has taken refuses connections."""

    def __init__(self) -> None:
        self.places: dict[tuple[str, int], Place] = {}
        self.delays: dict[tuple[str, int], float] = {}  #: seconds until a connection is made
        self.dialled: list[tuple[str, int]] = []
        self.wires: list[Wire] = []

    @classmethod
    def install(cls, monkeypatch: pytest.MonkeyPatch) -> "Network":
        """Return a network that the client's tunnels and the server's port forwards are connected to."""
        network = cls()
        for module in ("client.tunnel", "net.http", "net.upstream_proxy", "server.forwards"):
            monkeypatch.setattr(f"headrace.{module}.dial", network.dial)
        return network

    @property
    def open(self) -> list[Wire]:
        """Ends of connections that are not closed."""
        return [wire for wire in self.wires if not wire.lost]

    async def dial(self, host: str, port: int, factory: Callable[[], P], timeout: float) -> P:
        self.dialled.append((host, port))
        place = self.places.get((host, port), NetworkError("Connection refused"))
        try:
            async with asyncio.timeout(timeout):
                await asyncio.sleep(self.delays.get((host, port), 0.0))
                if place == HANGS:
                    await asyncio.Event().wait()
        except TimeoutError as error:
            raise ConnectTimeout(f"no connection within {timeout:g} s") from error
        if isinstance(place, NetworkError):
            raise place
        assert callable(place)
        protocol = factory()
        near, far = Wire(protocol), Wire(place())
        self.wires += near, far
        near.join(far)
        return protocol


class _Names:
    """A name server with these names. Whatever else is asked for does not exist."""

    def __init__(self, names: Mapping[str, Sequence[str]]) -> None:
        self._names = names

    async def query(self, name: str) -> Sequence[Answer]:
        if name not in self._names:
            raise NetworkError("the name does not exist")
        return [(address, 60) for address in self._names[name]]

    async def close(self) -> None:
        """Nothing is held."""


class MemoryServer:
    """A worker whose sessions are reached through the network. `settings` go over its configuration."""

    def __init__(
        self,
        network: Network,
        directory: Path,
        address: str = "192.0.2.1",
        *,
        rules: Mapping[str, object] | None = None,
        names: Mapping[str, Sequence[str]] | None = None,
        sweeping: bool = False,
        **settings: Any,
    ) -> None:
        ports = {"OSSH": 4001, "SSH": 4002}
        generated = generate_server(ip=address, protocols=ports, host_key=host_key())
        generated.write(directory, force=True)
        if rules is not None:
            (directory / TRAFFIC_RULES_FILE).write_text(json.dumps({"DefaultRules": rules}))
        config = read_server_config((directory / CONFIG_FILE).read_bytes(), overrides=settings)
        seeds = SeedMemory()
        shared = Shared.load(config, directory, lambda seed: seeds.seen(seed, 0.0), rng=SeededRng(3))
        self.worker = Worker(shared)
        self.worker.resolver = Resolver(backend=lambda: _Names(names or {}))
        self.entry = ServerEntry.decode(generated.entry)
        self.network = network
        self.address = address
        for name, port in ports.items():
            network.places[address, port] = lambda name=name: self.accept(name)  # type: ignore[misc]
        if sweeping:
            self.worker.spawn(self.worker._sweep())

    def accept(self, protocol: str = "OSSH") -> asyncio.BaseProtocol:
        """Take a connection; return what serves it."""
        return self.worker._accept(tunnel_protocol(protocol))

    def probe(self, protocol: str = "OSSH") -> FakeTcp:
        """Return an accepted connection of a stranger, in the test's hands."""
        return FakeTcp(self.accept(protocol))

    def preamble(self, seed: int) -> bytes:
        """Return the first bytes of a client that has our entry, and none of its SSH."""
        side = ClientSide(self.worker.shared.keyword, SeededRng(seed))
        opening = tunnel_protocol("OSSH").client_layer(side).connected()
        assert opening is not None
        return b"".join(opening.segments)

    @property
    def sessions(self) -> set[Session]:
        return self.worker._sessions


def client_config(**settings: Any) -> ClientConfig:
    """Return a client's configuration."""
    names = {"PropagationChannelId": "F" * 16, "SponsorId": "F" * 16}
    return read_client_config(json.dumps(names).encode(), overrides=settings)


def make_tunnel(
    entry: ServerEntry,
    protocol: str = "OSSH",
    *,
    rng: Rng | None = None,
    answer: Callable[[bytes, memoryview], bytes | None] = lambda name, payload: None,
    prefixes: PrefixSpecs | None = None,
    change: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Tunnel:
    """Return a tunnel not dialled yet; `change` goes over the entry, `settings` are the client's."""
    rng = rng or SeededRng(next(_seeds))
    entry = msgspec.structs.replace(entry, **(change or {}))
    choices = DialSettings(prefixes=prefixes or PrefixSpecs())
    identity = Identity.from_config(client_config(**settings))
    return Tunnel(choose(entry, protocol, rng, settings=choices), identity, rng, answer)


async def settle() -> None:
    """Let everything happen that needs no time."""
    await asyncio.sleep(1e-6)
