"""A client in a program, against a whole server in memory."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from tests.memory_network import MemoryServer, Network

from headrace.client.surroundings import Machine, Surroundings

__all__ = ["FAR", "NAME", "Echo", "TlsEcho", "World", "world"]

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


class TlsEcho(Echo):
    """The same inside TLS."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._arriving, self._leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._arriving, self._leaving, server_side=True)
        self._shaken = False

    def data_received(self, data: bytes) -> None:
        self._arriving.write(data)
        try:
            if not self._shaken:
                self._tls.do_handshake()
                self._shaken = True
            while text := self._tls.read():
                self._tls.write(text)
            self._transport.close()
        except ssl.SSLWantReadError:
            self._transport.write(self._leaving.read())


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
