"""A SOCKS5 client for benches that count bytes rather than time."""

import socket

from bench.origins import EchoOrigin
from bench.programs import BenchError

__all__ = ["connect", "first_byte"]


def connect(socks_port: int, port: int, *, receive_buffer: int = 0) -> socket.socket:
    """Connect to a loopback port through a SOCKS5 proxy. Raises BenchError when it refuses."""
    peer = socket.socket()
    if receive_buffer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    peer.settimeout(30)
    peer.connect(("127.0.0.1", socks_port))
    peer.sendall(b"\5\1\0")
    request = b"\5\1\0\1" + socket.inet_aton("127.0.0.1") + port.to_bytes(2, "big")
    if peer.recv(2, socket.MSG_WAITALL) == b"\5\0":
        peer.sendall(request)
        if peer.recv(10, socket.MSG_WAITALL)[1:2] == b"\0":
            return peer
    peer.close()
    raise BenchError("the proxy refused a port forward")


def first_byte(socks_port: int, origin: EchoOrigin) -> None:
    """Send a byte through the proxy and wait until it comes back."""
    with connect(socks_port, origin.port) as peer:
        peer.sendall(b"x")
        if peer.recv(1) != b"x":
            raise BenchError("the byte did not come back")
