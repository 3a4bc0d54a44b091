"""The clients that a crowd is made of: headrace's, with all that a tunnel needs, or asyncssh's."""

import json
import secrets
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any

from headrace.base.rng import SYSTEM_RNG
from headrace.client import api
from headrace.client.tunnel import Tunnel
from headrace.documents.client_config import read_client_config
from headrace.documents.server_entry import ServerEntry
from headrace.establishment.dial_parameters import choose
from headrace.net.tunnel_socket import Layer
from headrace.transports import TUNNEL_PROTOCOLS, ClientSide, ServerSide, TunnelProtocol, tunnel_protocol

__all__ = ["AsyncsshClients", "Clients", "HeadraceClients"]


class Clients(ABC):
    """Makes tunnels of one kind."""

    def prepare(self, count: int) -> None:
        """Do beforehand what needs no server, for the next `count` tunnels. There may be nothing to do."""
        return

    @abstractmethod
    async def connect(self) -> Any:
        """Return a tunnel that is ready to forward."""


class HeadraceClients(Clients):
    """Whole tunnels: TCP, the tunnel protocol, SSH, log-in, API handshake."""

    def __init__(self, entry: str, protocol: str) -> None:
        config = read_client_config(
            json.dumps({"PropagationChannelId": "F" * 16, "SponsorId": "F" * 16}).encode()
        )
        self._entry, self._protocol = ServerEntry.decode(entry), protocol
        self._identity = api.Identity.from_config(config)
        self._prepared = _Prepared(tunnel_protocol(protocol))
        TUNNEL_PROTOCOLS[protocol] = self._prepared

    def prepare(self, count: int) -> None:
        attempts = (choose(self._entry, self._protocol, SYSTEM_RNG) for _ in range(count))
        keyword = self._entry.ssh_obfuscated_key.encode()
        for attempt in attempts:
            side = ClientSide(keyword, SYSTEM_RNG, attempt.prefix, attempt.padding, attempt.shape())
            self._prepared.layers.append(self._prepared.real.client_layer(side))

    async def connect(self) -> Tunnel:
        attempt = choose(self._entry, self._protocol, SYSTEM_RNG)
        # Each is a client of its own: a server may close a tunnel when its client makes another.
        client = replace(self._identity, session_id=secrets.token_hex(16))
        tunnel = Tunnel(attempt, client, SYSTEM_RNG, lambda name, payload: None)
        await tunnel.connect()
        await tunnel.handshake()
        return tunnel


class _Prepared(TunnelProtocol):
    """A tunnel protocol whose clients' layers are made beforehand.

    To derive the obfuscation's keys is most of a client's CPU time, and a load generator shares its cores
    with the server that it loads.
    """

    def __init__(self, real: TunnelProtocol) -> None:
        self.real = real
        self.name, self.offer, self.hide_lengths = real.name, real.offer, real.hide_lengths
        self.layers: list[Layer] = []

    def client_layer(self, side: ClientSide) -> Layer:
        return self.layers.pop() if self.layers else self.real.client_layer(side)

    def server_layer(self, side: ServerSide) -> Layer:
        return self.real.server_layer(side)


class AsyncsshClients(Clients):
    """SSH connections with log-in."""

    def __init__(self, port: int, cipher: str) -> None:
        self._port, self._cipher = port, cipher

    async def connect(self) -> Any:
        import asyncssh

        return await asyncssh.connect(
            "127.0.0.1",
            self._port,
            username="bench",
            password="bench",
            known_hosts=None,
            client_keys=None,
            config=None,
            encryption_algs=[self._cipher],
        )
