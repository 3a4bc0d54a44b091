"""A SOCKS5 client and an origin for benches that count bytes rather than time."""

import selectors
import socket
import threading

from bench.programs import BenchError

__all__ = ["EchoOrigin", "connect", "first_byte"]


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


def first_byte(socks_port: int, origin: "EchoOrigin") -> None:
    """Send a byte through the proxy and wait until it comes back."""
    with connect(socks_port, origin.port) as peer:
        peer.sendall(b"x")
        if peer.recv(1) != b"x":
            raise BenchError("the byte did not come back")


class EchoOrigin:
    """Accepts connections and sends back what comes, in a thread of its own."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            while not self._stopping:
                for key, _ in selector.select(0.2):
                    peer = key.fileobj
                    assert isinstance(peer, socket.socket)
                    if peer is self._listener:
                        fresh, _ = self._listener.accept()
                        selector.register(fresh, selectors.EVENT_READ)
                        continue
                    try:
                        data = peer.recv(65536)
                        if data:
                            peer.sendall(data)
                    except OSError:
                        data = b""
                    if not data:
                        selector.unregister(peer)
                        peer.close()
            for key in list(selector.get_map().values()):
                if isinstance(key.fileobj, socket.socket):
                    key.fileobj.close()

    def close(self) -> None:
        """Close everything."""
        self._stopping = True
        self._thread.join()
