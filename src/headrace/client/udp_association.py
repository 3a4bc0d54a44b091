"""SOCKS5 UDP ASSOCIATE: a port for one application's datagrams, open as long as its TCP connection is.

    application ──► port ──► udpgw ──► server ──► destination
                      ▲                               │
                      └─── with the sender's address ─┘

Only the host that the TCP connection comes from may use the port: from the port that it announced, or else
the one that it first sent from. Names are looked up at the far end, and their datagrams wait meanwhile.
"""

import asyncio
import ipaddress
from functools import lru_cache
from typing import Final

from headrace.base.errors import NetworkError, RemoteProtocolError
from headrace.client.udp import Udp
from headrace.codec.socks_udp import encode_sender, parse_datagram
from headrace.net.addresses import parse_address
from headrace.net.udp_flow import UdpAddress, UdpPort

__all__ = ["UdpAssociation"]

_DNS_PORT: Final = 53
#: Names of one application that are remembered; datagrams that wait for one of them, and bytes for all.
MAX_NAMES: Final = 256
MAX_WAITING: Final = 8
MAX_HELD: Final = 64 * 1024
#: Seconds without a datagram after which a name is looked up again. Until then it means one and the same
#: address: what is said to one of a name's hosts makes no sense to another.
MEMORY: Final = 60.0


class _Name:
    """A name, and where it leads. Until that is known, ports and datagrams wait."""

    def __init__(self) -> None:
        self.address = b""
        self.used = 0.0
        self.waiting: list[tuple[int, bytes]] = []
        self.search: asyncio.Task[None] | None = None


class UdpAssociation(asyncio.Protocol):
    """The TCP connection's protocol from now on. Raises OSError if there is no port to be had.

    `announced` is the port that the application means to send from, 0 if it did not say. `address` is where
    its datagrams are to go.
    """

    def __init__(self, udp: Udp, tcp: asyncio.BaseTransport, announced: int) -> None:
        self._udp = udp
        self._gateway = udp.gateway
        self._loop = asyncio.get_running_loop()
        local, peer = tcp.get_extra_info("sockname"), tcp.get_extra_info("peername")
        if not isinstance(local, tuple) or not isinstance(peer, tuple):
            raise OSError("no port belongs to a connection without addresses")
        self._peer: str = peer[0]
        self._announced = announced
        self._application: UdpAddress | None = None
        self._names: dict[str, _Name] = {}  # least recently used first
        self._held = 0  # bytes of datagrams that wait
        self._port = UdpPort((local[0], 0, *local[2:]), self._arrived)
        self.address = self._port.address

    # ---- the TCP connection ---------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Nothing is said here any more."""

    def connection_lost(self, exc: Exception | None) -> None:
        self._port.close()
        self._gateway.release(self)
        while self._names:
            self._forget(next(iter(self._names)))

    # ---- up -------------------------------------------------------------------------------------------

    def _arrived(self, data: bytes, sender: UdpAddress) -> None:
        if sender != self._application and not self._is_new(sender):
            return
        try:
            datagram = parse_datagram(data)
        except RemoteProtocolError:
            return
        self._application = sender
        if isinstance(datagram.host, bytes):
            self._send(datagram.host, datagram.port, datagram.data)
        else:
            self._send_to_name(datagram.host, datagram.port, datagram.data)

    def _is_new(self, sender: UdpAddress) -> bool:
        """Whether this is the application's first word."""
        return (
            self._application is None
            and sender[0] == self._peer
            and (not self._announced or sender[1] == self._announced)
        )

    def _send(self, address: bytes, port: int, data: bytes) -> None:
        # A name server that no server could reach is one that the application found on its own network.
        dns = port == _DNS_PORT and not _is_global(address)
        self._gateway.send(self, address, port, data, dns=dns)

    def _send_to_name(self, host: str, port: int, data: bytes) -> None:
        literal = parse_address(host)
        if literal is not None:
            self._send(literal.packed, port, data)
            return
        now = self._loop.time()
        name = self._names.pop(host, None)
        if name is None or (name.address and now - name.used > MEMORY):
            name = _Name()
            name.search = self._loop.create_task(self._look_up(host, name))
            while len(self._names) >= MAX_NAMES:
                self._forget(next(iter(self._names)))
        self._names[host] = name
        name.used = now
        if name.address:
            self._send(name.address, port, data)
        elif len(name.waiting) < MAX_WAITING and self._held + len(data) <= MAX_HELD:
            self._held += len(data)
            name.waiting.append((port, data))

    async def _look_up(self, host: str, name: _Name) -> None:
        try:
            found = await self._udp.names.lookup(host)
        except NetworkError:
            self._forget(host)  # with what waits: it is asked for again when the application sends again
            return
        name.address = ipaddress.ip_address(found[0]).packed
        for port, data in self._release(name):
            self._send(name.address, port, data)

    def _forget(self, host: str) -> None:
        name = self._names.pop(host)
        self._release(name)
        if name.search is not None and name.search is not asyncio.current_task():
            name.search.cancel()

    def _release(self, name: _Name) -> list[tuple[int, bytes]]:
        """Return what waits for a name, which is held no more."""
        waiting, name.waiting = name.waiting, []
        self._held -= sum(len(data) for _, data in waiting)
        return waiting

    # ---- down -----------------------------------------------------------------------------------------

    def received(self, address: bytes, port: int, datagram: bytes) -> None:
        """Hand over what came from a destination."""
        if self._application is not None:
            self._port.send(encode_sender(address, port) + datagram, self._application)


@lru_cache(maxsize=1024)
def _is_global(address: bytes) -> bool:
    return ipaddress.ip_address(address).is_global
