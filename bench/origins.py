"""Origins in a thread: one that echoes, and one that pours."""

import selectors
import socket
import threading

__all__ = ["EchoOrigin", "PouringOrigin"]


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


class PouringOrigin:
    """Sends zeros to whoever connects, as fast as they go, and counts them."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self.sent = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        zeros = bytes(65536)
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            while not self._stopping:
                for key, _ in selector.select(0.2):
                    peer = key.fileobj
                    assert isinstance(peer, socket.socket)
                    if peer is self._listener:
                        fresh, _ = self._listener.accept()
                        fresh.setblocking(False)
                        selector.register(fresh, selectors.EVENT_WRITE)
                        continue
                    try:
                        self.sent += peer.send(zeros)
                    except BlockingIOError:
                        continue
                    except OSError:
                        selector.unregister(peer)
                        peer.close()
            for key in list(selector.get_map().values()):
                if isinstance(key.fileobj, socket.socket):
                    key.fileobj.close()

    def close(self) -> None:
        self._stopping = True
        self._thread.join()
