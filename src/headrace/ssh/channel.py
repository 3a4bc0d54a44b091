"""One channel of a connection (RFC 4254 §5): windows, half-close, and back-pressure both ways.

What arrives goes straight to the endpoint; what the endpoint reads is sealed straight into the connection's
output. Nothing is queued here, so the two windows are the only bounds there are, and both are enforced:

  * we never send more than the peer's window, nor while the connection is paused; an endpoint that finds no
    `room` stops reading and is told by `writable` when there is some again;
  * the peer's window is topped up only while the endpoint keeps up (`hold`, `release`). It starts small,
    doubles while the endpoint does, and is halved when it was behind; what all channels of a connection grow
    by is bounded too. So one stream gets a window that keeps it full, and many stalled readers park little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from headrace.base.errors import LocalProtocolError, RemoteProtocolError
from headrace.ssh import numbers
from headrace.ssh.protection import HEADROOM, TAILROOM
from headrace.ssh.wire import Reader, string, u32

if TYPE_CHECKING:
    from headrace.ssh.connection import Connection
    from headrace.ssh.shaper import StreamShape

__all__ = ["AFTER", "BEFORE", "INITIAL_WINDOW", "MAX_DATA", "MAX_WINDOW", "Channel", "Endpoint"]

#: The receive window a channel starts with, and the one it can grow to; 2 MB keeps a fast stream full.
INITIAL_WINDOW: Final = 128 * 1024
MAX_WINDOW: Final = 2 * 1024 * 1024
#: Most data bytes we accept, and send, in one packet.
MAX_DATA: Final = 32 * 1024
#: Least packet limit we accept: with a few bytes a packet every read would become thousands of packets.
MIN_LIMIT: Final = 1024
#: Room that `send_from` needs before and after the data: packet head, number, channel, length; padding.
BEFORE: Final = HEADROOM + 9
AFTER: Final = TAILROOM

_MAX_U32: Final = 0xFFFFFFFF


class Endpoint(Protocol):
    """The local side of a channel, usually a socket's protocol at the same time."""

    def opened(self, channel: Channel) -> None:
        """The peer agreed to the channel we asked for."""

    def refused(self, reason: int, text: str) -> None:
        """The peer did not; the reason is one of RFC 4254 §5.1."""

    def data(self, view: memoryview) -> None:
        """Data arrived; it may be kept, nobody will reuse the memory."""

    def pause(self) -> None:
        """Stop reading: there is no room until `writable`."""

    def writable(self) -> None:
        """There is room again."""

    def eof(self) -> None:
        """The peer will send no more data."""

    def closed(self, error: Exception | None) -> None:
        """The channel is gone: closed by both sides, or the connection was lost. Always the last call."""


class Channel:
    """A channel; `endpoint` gets its events. Made by Connection.open, or when the peer asks to open one."""

    __slots__ = (
        "_close_received",
        "_close_sent",
        "_connection",
        "_consumed",
        "_eof_received",
        "_eof_sent",
        "_header",
        "_held",
        "_limit",
        "_window_in",
        "_window_out",
        "_window_size",
        "endpoint",
        "local",
        "open",
        "remote",
        "shape",
        "waiting",
    )

    def __init__(self, connection: Connection, local: int, endpoint: Endpoint | None) -> None:
        self._connection = connection
        self.local = local
        self.remote = 0
        self.endpoint = endpoint
        self.open = False
        self.waiting = False  #: the endpoint stopped reading and wants `writable`
        self.shape: StreamShape | None = None  #: of its first bursts, until they are over
        self._header = b""
        self._limit = 0
        self._window_out = 0
        self._window_in = self._window_size = INITIAL_WINDOW
        self._consumed = 0
        self._held = False
        self._eof_sent = self._eof_received = False
        self._close_sent = self._close_received = False

    def agree(self, remote: int, window: int, packet: int) -> None:
        """Take the peer's channel number, window and packet limit."""
        self.remote = remote
        self._window_out = window
        self._limit = min(MAX_DATA, packet)
        if self._limit < MIN_LIMIT:
            raise RemoteProtocolError("the peer's packet limit is too small")
        self._header = bytes((numbers.CHANNEL_DATA,)) + u32(remote)
        if self.shape is not None:
            self.shape.received()

    # ---- answering the peer's request to open ---------------------------------------------------------

    def accept(self, endpoint: Endpoint) -> None:
        """Agree to open; `endpoint.opened` is not called."""
        self.endpoint = endpoint
        self.open = True
        self._connection.transport.send(
            bytes((numbers.CHANNEL_OPEN_CONFIRMATION,))
            + u32(self.remote)
            + u32(self.local)
            + u32(INITIAL_WINDOW)
            + u32(MAX_DATA)
        )
        if self.shape is not None:
            self.shape.sent(0)

    def refuse(self, reason: int, text: str) -> None:
        """Decline to open."""
        self._connection.transport.send(
            bytes((numbers.CHANNEL_OPEN_FAILURE,))
            + u32(self.remote)
            + u32(reason)
            + string(text.encode())
            + string(b"")
        )
        self._connection.forget(self)

    # ---- sending --------------------------------------------------------------------------------------

    @property
    def room(self) -> int:
        """How many bytes may be sent right now."""
        if self._connection.paused:
            return 0
        shape = self.shape
        return self._window_out if shape is None else min(self._window_out, shape.room)

    def send(self, data: bytes | memoryview) -> None:
        """Send a little data, at most the window, whether or not the connection is paused."""
        size = len(data)
        if self._eof_sent or self._close_sent or size > self._window_out:
            raise LocalProtocolError("data that the channel has no window for")
        self._window_out -= size
        view = memoryview(data)
        if self.shape is not None:
            self.shape.look(view, ours=True)
        for start in range(0, size, self._limit):
            piece = view[start : start + self._limit]
            self._connection.transport.send(self._header + len(piece).to_bytes(4, "big") + piece)
        if self.shape is not None:
            self.shape.sent(size)

    def send_from(self, scratch: memoryview, start: int, end: int) -> None:
        """Send scratch[start:end], at most `room` bytes, sealing it where it lies.

        Up to BEFORE bytes in front of it and AFTER bytes behind it are overwritten.
        """
        size = end - start
        if self._eof_sent or self._close_sent or size > self._window_out:
            raise LocalProtocolError("data that the channel has no window for")
        self._window_out -= size
        if self.shape is not None:
            self.shape.look(scratch[start:end], ours=True)
        connection = self._connection
        connection.eager.add(self)
        connection.transport.send_from(scratch, start, end, self._limit, self._header)
        if self.shape is not None:
            self.shape.sent(size)

    def wait(self) -> None:
        """Ask for `writable` once there is room."""
        self.waiting = True
        self._connection.eager.discard(self)
        if self._connection.paused:
            self._connection.waiting[self] = None

    def eof(self) -> None:
        """Say that we send no more."""
        if self.open and not (self._eof_sent or self._close_sent):
            self._eof_sent = True
            self._connection.eager.discard(self)
            self._connection.transport.send(bytes((numbers.CHANNEL_EOF,)) + u32(self.remote))

    def close(self) -> None:
        """Close our side; `endpoint.closed` follows when the peer has closed its own."""
        if self.open and not self._close_sent:
            self._close_sent = True
            self.waiting = False
            self._connection.eager.discard(self)
            self._connection.transport.send(bytes((numbers.CHANNEL_CLOSE,)) + u32(self.remote))
            if self._close_received:
                self._finish()

    # ---- receiving ------------------------------------------------------------------------------------

    def hold(self) -> None:
        """The endpoint is behind: give the peer no new window until `release`."""
        self._held = True

    def release(self) -> None:
        """The endpoint caught up."""
        self._held = False
        if self._consumed * 2 >= self._window_size:
            self._top_up(max(INITIAL_WINDOW, self._window_size // 2))

    def on_data(self, view: memoryview) -> None:
        size = len(view)
        if size > self._window_in or self._eof_received or self._close_received:
            raise RemoteProtocolError("data beyond the channel's window or its end")
        self._window_in -= size
        self._consumed += size
        if self.shape is not None:
            self.shape.look(view, ours=False)
        if self.shape is not None:
            self.shape.received()
        if not self._close_sent and self.endpoint is not None:
            self.endpoint.data(view)
        if self._consumed * 2 >= self._window_size and not self._held:
            self._top_up(min(2 * self._window_size, MAX_WINDOW))

    def _top_up(self, size: int) -> None:
        """Give back what was consumed, more or less of it as the window is to become `size`."""
        change = min(size - self._window_size, self._connection.growth_left)
        self._connection.growth_left -= change
        self._window_size += change
        grant = self._consumed + change
        self._consumed = 0
        self._window_in += grant
        if not self._close_sent:
            message = bytes((numbers.CHANNEL_WINDOW_ADJUST,)) + u32(self.remote) + u32(grant)
            self._connection.transport.send(message)

    def on_adjust(self, reader: Reader) -> None:
        grant = reader.u32()
        if self._window_out + grant > _MAX_U32:
            raise RemoteProtocolError("the channel's window exceeds 2^32-1")
        self._window_out += grant
        self.go_on()

    def go_on(self) -> None:
        """There may be room again: resume an endpoint that waits, or let it wait with the others."""
        if self.waiting:
            if self._connection.paused:
                self._connection.waiting[self] = None
            else:
                self.resume()

    def resume(self) -> None:
        """Let the endpoint read again, if it waits and there is room."""
        if self.waiting and self.room and self.endpoint is not None:
            self.waiting = False
            self._connection.eager.add(self)
            self.endpoint.writable()

    def on_eof(self) -> None:
        if not self._eof_received:
            self._eof_received = True
            if self.endpoint is not None and not self._close_sent:
                self.endpoint.eof()

    def on_close(self) -> None:
        """The peer closed: it takes no more data. Answer at once, whatever the endpoint still has."""
        self._close_received = True
        if self._close_sent:
            self._finish()
        else:
            self.close()

    def _finish(self) -> None:
        self._connection.forget(self)
        self.lost(None)

    @property
    def growth(self) -> int:
        """By how much the window has grown."""
        return self._window_size - INITIAL_WINDOW

    def lost(self, error: Exception | None) -> None:
        """The channel is over, whichever way."""
        self.open = False
        endpoint, self.endpoint = self.endpoint, None
        if endpoint is not None:
            endpoint.closed(error)
