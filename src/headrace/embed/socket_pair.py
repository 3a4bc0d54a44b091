"""A connection of the tunnel as a socket, for programs that block: one end of a pair, the other end is here.

    the program's thread ──► ForwardSocket ──► _Near ──► _Far ──► the connection
                                      (pair)  │ the loop's thread

It is a real socket, which TLS can be put on and which can be waited for; no port is listened on.
"""

import asyncio
import socket
from typing import Any, TypeVar, cast
from weakref import ref

from headrace.embed.connections import Connections

__all__ = ["ForwardSocket", "open_socket"]

T = TypeVar("T")


class ForwardSocket(socket.socket):
    """A socket that leads through the tunnel. Reading raises ConnectionResetError once that was lost."""

    broken = False  #: what has been received is not all that there was

    def recv(self, *arguments: Any) -> bytes:
        return self._whole(super().recv(*arguments))

    def recv_into(self, *arguments: Any) -> int:
        return self._whole(super().recv_into(*arguments))

    def _whole(self, received: T) -> T:
        if not received and self.broken:
            raise ConnectionResetError("the tunnel was lost")
        return received


async def open_socket(connections: Connections, host: str, port: int, timeout: float) -> ForwardSocket:
    """Connect within `timeout` seconds. Raises ConnectionFailed."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    app = ForwardSocket(fileno=theirs.detach())
    near = _Near(app)
    try:
        transport = await _adopt(near, ours)
        try:
            await connections.create_connection(lambda: _Far(near), host, port, timeout=timeout)
        except BaseException:
            transport.set_protocol(asyncio.Protocol())  # there is no far side to be told
            transport.abort()
            raise
    except BaseException:
        app.close()
        raise
    return app


async def _adopt(protocol: asyncio.Protocol, end: socket.socket) -> asyncio.Transport:
    try:
        transport, _ = await asyncio.get_running_loop().connect_accepted_socket(lambda: protocol, end)
    except BaseException:
        end.close()
        raise
    return transport


class _Side(asyncio.Protocol):
    """One of two transports; what comes from the `other` goes out here."""

    transport: asyncio.Transport
    other: "_Side"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.other.transport.write(data)

    def eof_received(self) -> bool:
        if not self.other.transport.is_closing():
            self.other.transport.write_eof()
        return True

    def pause_writing(self) -> None:
        self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        self.other.transport.resume_reading()


class _Near(_Side):
    """The program's side."""

    def __init__(self, app: ForwardSocket) -> None:
        self.app = ref(app)

    def eof_received(self) -> bool:
        app = self.app()
        if app is not None and app.fileno() >= 0:  # it only says no more, and still listens
            return super().eof_received()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.other.transport.close()


class _Far(_Side):
    """The tunnel's side."""

    def __init__(self, near: _Near) -> None:
        self.other = near
        near.other = self

    def connection_lost(self, exc: Exception | None) -> None:
        app = cast("_Near", self.other).app()
        if exc is not None and app is not None:
            app.broken = True
        self.other.transport.close()
