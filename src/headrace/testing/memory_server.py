"""Servers of a network in memory, and clients to reach them with: real ones, keys and all.

network = Network.install(monkeypatch)
server = MemoryServer(network, tmp_path)
tunnel = make_tunnel(server.entry)
await tunnel.connect()
"""

import asyncio
import itertools
import json
from collections.abc import Callable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import msgspec

from headrace.base.clock import SYSTEM_CLOCK, Clock
from headrace.base.errors import NameNotFound
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
from headrace.testing.memory_network import Network
from headrace.testing.peers import host_key
from headrace.transports import ClientSide, tunnel_protocol

__all__ = ["HANDSHAKE_TIMEOUT", "MemoryServer", "client_config", "make_tunnel"]

#: Seconds that a server waits for a log-in, and a little more: the same for all, whatever their keys.
HANDSHAKE_TIMEOUT = 30

#: Each client draws its own: a seed seen before is a replay.
_seeds = itertools.count(1000)


class _Names:
    """A name server with these names. Whatever else is asked for does not exist."""

    def __init__(self, names: Mapping[str, Sequence[str]]) -> None:
        self._names = names

    async def query(self, name: str) -> Sequence[Answer]:
        if name not in self._names:
            raise NameNotFound("the name does not exist")
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
        clock: Clock = SYSTEM_CLOCK,
        **settings: Any,
    ) -> None:
        ports = {"OSSH": 4001, "SSH": 4002}
        generated = generate_server(ip=address, protocols=ports, host_key=host_key())
        generated.write(directory, force=True)
        if rules is not None:
            (directory / TRAFFIC_RULES_FILE).write_text(json.dumps({"DefaultRules": rules}))
        settings = {"SSHHandshakeTimeoutMilliseconds": HANDSHAKE_TIMEOUT * 1000, **settings}
        config = read_server_config((directory / CONFIG_FILE).read_bytes(), overrides=settings)
        seeds = SeedMemory()
        shared = Shared.load(
            config, directory, lambda seed: seeds.seen(seed, clock.monotonic()), rng=SeededRng(3), clock=clock
        )
        self.worker = Worker(shared)
        self.worker.resolver = Resolver(backend=lambda: _Names(names or {}))
        self.entry = ServerEntry.decode(generated.entry)
        self.network = network
        self.address = address
        for name, port in ports.items():
            network.places[address, port] = lambda name=name: self.accept(name)  # type: ignore[misc]
        if sweeping:
            self.worker.spawn(self.worker.sweep())

    def accept(self, protocol: str = "OSSH") -> asyncio.BaseProtocol:
        """Take a connection; return what serves it."""
        return self.worker.accept(tunnel_protocol(protocol))

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
    def sessions(self) -> Set[Session]:
        return self.worker.sessions


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
