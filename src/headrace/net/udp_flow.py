"""UDP sockets: a flow to one destination, and a port that anybody may send to.

A flow's socket is connected, so nobody else's datagrams come back through it. Like the network itself both
drop what they cannot deliver.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Final

__all__ = ["UdpAddress", "UdpFlow", "UdpPort"]

UdpAddress = tuple[Any, ...]
"""A socket's address as the system has it: host and port, and more for IPv6."""

#: Datagrams taken in one go, so that a busy flow leaves the loop to the others.
_BURST: Final = 32
_MAX_DATAGRAM: Final = 65_535


class UdpFlow:
    """Opened to an address literal; `received` gets what comes back. Raises OSError if that is impossible."""

    __slots__ = ("_loop", "_received", "_socket")

    def __init__(self, host: str, port: int, received: Callable[[bytes], None]) -> None:
        self._received = received
        self._socket = socket.socket(_family(host), socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.connect((host, port))
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._socket, self._readable)
        except BaseException:
            self._socket.close()
            raise

    def send(self, datagram: bytes) -> None:
        """Send, or drop."""
        try:
            self._socket.send(datagram)
        except OSError:
            return  # no buffer, no route, or word that nobody listens there

    def close(self) -> None:
        """End the flow; may be called twice."""
        _close(self._socket, self._loop)

    def _readable(self) -> None:
        for _ in range(_BURST):
            try:
                datagram = self._socket.recv(_MAX_DATAGRAM)
            except OSError:  # nothing more, or an error of an earlier datagram; or `received` closed us
                return
            self._received(datagram)


class UdpPort:
    """Bound to an address of ours, where port 0 is one that the system chooses.

    `received` gets each datagram and its sender. Raises OSError if it cannot be bound.
    """

    def __init__(self, address: UdpAddress, received: Callable[[bytes, UdpAddress], None]) -> None:
        self._received = received
        self._socket = socket.socket(_family(address[0]), socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.bind(address)
            self.address: UdpAddress = self._socket.getsockname()
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._socket, self._readable)
        except BaseException:
            self._socket.close()
            raise

    def send(self, datagram: bytes, to: UdpAddress) -> None:
        """Send, or drop."""
        try:
            self._socket.sendto(datagram, to)
        except OSError:
            return

    def close(self) -> None:
        """Close the port; may be called twice."""
        _close(self._socket, self._loop)

    def _readable(self) -> None:
        for _ in range(_BURST):
            try:
                datagram, sender = self._socket.recvfrom(_MAX_DATAGRAM)
            except OSError:
                return
            self._received(datagram, sender)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _close(sock: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
    if sock.fileno() >= 0:
        loop.remove_reader(sock)
        sock.close()
