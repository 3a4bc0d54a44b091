"""One UDP flow to one destination: a connected socket, so nobody else's datagrams come back through it."""

import asyncio
import socket
from collections.abc import Callable
from typing import Final

__all__ = ["UdpFlow"]

#: Datagrams taken in one go, so that a busy flow leaves the loop to the others.
_BURST: Final = 32
_MAX_DATAGRAM: Final = 65_535


class UdpFlow:
    """Opened to an address literal; `received` gets what comes back. Raises OSError if it cannot be opened.

    Like the network itself it drops what it cannot deliver.
    """

    def __init__(self, host: str, port: int, received: Callable[[bytes], None]) -> None:
        self._received = received
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
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
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()

    def _readable(self) -> None:
        for _ in range(_BURST):
            try:
                datagram = self._socket.recv(_MAX_DATAGRAM)
            except OSError:  # nothing more, or an error of an earlier datagram; or `received` closed us
                return
            self._received(datagram)
