"""Origins in a thread: one that echoes, and one that pours."""

import selectors
import socket
import threading
from abc import ABC, abstractmethod
from typing import ClassVar, Self

__all__ = ["EchoOrigin", "PouringOrigin"]


class _Origin(ABC):
    """Serves whoever connects to `port` for the length of a with block, in a thread of its own."""

    #: What a connection is waited for, before each `_serve`.
    _events: ClassVar[int]

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stopping = True
        self._thread.join()

    @abstractmethod
    def _serve(self, peer: socket.socket) -> bool:
        """Do its part on a connection that is ready; return whether that goes on. Raises OSError."""

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            while not self._stopping:
                for key, _ in selector.select(0.2):
                    peer = key.fileobj
                    assert isinstance(peer, socket.socket)
                    if peer is self._listener:
                        selector.register(peer.accept()[0], self._events)
                    elif not self._goes_on(peer):
                        selector.unregister(peer)
                        peer.close()
            for key in list(selector.get_map().values()):
                if isinstance(key.fileobj, socket.socket):
                    key.fileobj.close()

    def _goes_on(self, peer: socket.socket) -> bool:
        try:
            return self._serve(peer)
        except OSError:
            return False


class EchoOrigin(_Origin):
    """Sends back what comes."""

    _events = selectors.EVENT_READ

    def _serve(self, peer: socket.socket) -> bool:
        data = peer.recv(65536)
        peer.sendall(data)
        return bool(data)


class PouringOrigin(_Origin):
    """Sends zeros to whoever connects, as fast as they go, and counts them."""

    _events = selectors.EVENT_WRITE
    _zeros = bytes(65536)

    def __init__(self) -> None:
        self.sent = 0
        super().__init__()

    def _serve(self, peer: socket.socket) -> bool:
        try:
            self.sent += peer.send(self._zeros, socket.MSG_DONTWAIT)
        except BlockingIOError:
            pass  # there is room, but for less than the kernel likes to take
        return True
