"""A client in a program, against a whole server in memory."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from tests.memory_network import MemoryServer, Network

from headrace.client.surroundings import Machine, Surroundings

__all__ = ["FAR", "NAME", "Echo", "World", "world"]

#: Where an echo answers, beyond the server; so it does under this name, which only the server knows.
FAR = ("93.184.215.14", 7)
NAME = "echo.example"


class Echo(asyncio.Protocol):
    """Says what it hears."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)


class World:
    """A network with a server, and an echo beyond it."""

    def __init__(self, network: Network, directory: Path) -> None:
        self.network = network
        self.server = MemoryServer(network, directory, names={NAME: [FAR[0]]})
        network.places[FAR] = Echo

    def config(self, **settings: Any) -> dict[str, Any]:
        """Return the configuration of a client that knows the server."""
        names = {"PropagationChannelId": "F" * 16, "SponsorId": "F" * 16}
        return {**names, "TargetServerEntry": self.server.entry.encode(), **settings}

    def lose_tunnels(self) -> None:
        """Have the server drop them."""
        for session in list(self.server.sessions):
            session.socket.abort()


@contextmanager
def world(directory: Path) -> Iterator[World]:
    """Make one, for clients that are not disturbed by the machine they run on."""
    with Network().installed() as network, mock.patch.object(Machine, "of", lambda *_: Surroundings()):
        yield World(network, directory)
