"""A port forward as asyncio's protocols want it: a transport on a channel.

What is written goes out as far as the channel has room and waits here for the rest, bounded by the protocol
that is asked to pause. What arrives goes straight to the protocol; while that does not read, it waits here,
bounded by the channel's window. Half-close passes both ways. A tunnel that is lost is a connection reset.
"""

import asyncio
from asyncio.transports import _FlowControlMixin
from collections import deque
from collections.abc import Callable
from typing import Any

from headrace.net.streams import feed
from headrace.ssh.channel import MAX_DATA, Channel

__all__ = ["ChannelTransport"]


class ChannelTransport(_FlowControlMixin, asyncio.Transport):
    """The transport of one protocol, and the endpoint of its channel once that is open."""

    _start_tls_compatible = True  # so that `loop.start_tls` takes it

    def __init__(
        self, loop: asyncio.AbstractEventLoop, protocol: asyncio.BaseProtocol, peername: tuple[str, int]
    ) -> None:
        super().__init__({"peername": peername}, loop)
        self._loop: asyncio.AbstractEventLoop = loop
        self._protocol: Any = protocol
        self._channel: Channel | None = None
        self._unwritten = bytearray()
        self._unread: deque[memoryview] = deque()
        self._reading = True
        self._closing = False
        self._near_done = False  # we send no more after what is unwritten
        self._far_done = False  # no more comes after what is unread
        self._eof_told = False
        self._lost = False

    # ---- for the protocol: both ways ------------------------------------------------------------------

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        self._unread.clear()
        if self._channel is None or not self._unwritten:
            self._force_close(None)
        else:
            self._channel.release()  # what still comes is of no interest, but must not be in the way

    def abort(self) -> None:
        self._force_close(None)

    def _force_close(self, error: BaseException | None) -> None:
        """End at once; asyncio's TLS calls this by its name."""
        if self._lost:
            return
        self._lost = self._closing = True
        self._unwritten.clear()
        self._unread.clear()
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()
        self._loop.call_soon(self._call, self._protocol.connection_lost, error)

    # ---- for the protocol: reading --------------------------------------------------------------------

    def is_reading(self) -> bool:
        return self._reading and not self._closing

    def pause_reading(self) -> None:
        if self.is_reading():
            self._reading = False
            if self._channel is not None:
                self._channel.hold()

    def resume_reading(self) -> None:
        if not self._closing and not self._reading:
            self._reading = True
            self._loop.call_soon(self._read_on)

    # ---- for the protocol: writing --------------------------------------------------------------------

    def get_write_buffer_size(self) -> int:
        return len(self._unwritten)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._near_done:
            raise RuntimeError("write after write_eof")
        if self._closing or self._channel is None:
            return
        if self._unwritten:
            self._unwritten += data
        else:
            self._unwritten += self._send(self._channel, memoryview(data).cast("B"))
        if self._unwritten:
            self._channel.wait()
            self._maybe_pause_protocol()  # type: ignore[attr-defined]  # typeshed leaves it out

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        if not (self._near_done or self._closing):
            self._near_done = True
            if self._channel is not None and not self._unwritten:
                self._channel.eof()

    def _send(self, channel: Channel, view: memoryview) -> memoryview:
        """Send as much as there is room for; return the rest."""
        while view and (room := min(channel.room, MAX_DATA)):
            channel.send(view[:room])
            view = view[room:]
        return view

    # ---- what the channel calls -----------------------------------------------------------------------

    def opened(self, channel: Channel) -> None:
        self._channel = channel if channel.open else None
        self._call(self._protocol.connection_made, self)

    def refused(self, reason: int, text: str) -> None:
        """Not after it has been opened."""

    def data(self, view: memoryview) -> None:
        if self._closing:
            return
        if self._reading and not self._unread:
            self._call(feed, self._protocol, view)
        else:
            self._unread.append(view)

    def pause(self) -> None:
        """Nothing to stop: what is written is held here, and `writable` follows."""

    def writable(self) -> None:
        channel = self._channel
        if channel is None or not self._unwritten:
            return
        with memoryview(self._unwritten) as view:
            with self._send(channel, view) as rest:
                left = len(rest)
        del self._unwritten[: len(self._unwritten) - left]
        if self._unwritten:
            channel.wait()
        elif self._closing:
            self._force_close(None)
            return
        elif self._near_done:
            channel.eof()
        self._maybe_resume_protocol()  # type: ignore[attr-defined]  # typeshed leaves it out

    def eof(self) -> None:
        self._far_done = True
        self._read_on()

    def closed(self, error: Exception | None) -> None:
        self._channel = None
        if error is not None:
            reset = ConnectionResetError("the tunnel was lost")
            reset.__cause__ = error
            self._force_close(reset)
        elif self._closing:
            self._force_close(None)
        else:
            self.eof()

    # ---- what has arrived -----------------------------------------------------------------------------

    def _read_on(self) -> None:
        """Hand over what is unread, and after it the end, as far as the protocol reads."""
        while self._unread and self.is_reading():
            self._call(feed, self._protocol, self._unread.popleft())
        if not self.is_reading():
            return
        if self._channel is not None:
            self._channel.release()
        if self._far_done and not self._eof_told:
            self._eof_told = True
            if not self._call(self._protocol.eof_received):
                self.close()
        if self._channel is None:  # closed by the far end: nobody takes what is unwritten
            self._force_close(BrokenPipeError("the far end has closed") if self._unwritten else None)

    def _call(self, callback: Callable[..., Any], *arguments: object) -> Any:
        """Call the protocol; a mistake of its author ends this connection, and not the tunnel it is in."""
        try:
            return callback(*arguments)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            context = {"message": "a protocol failed", "exception": error}
            self._loop.call_exception_handler({**context, "transport": self, "protocol": self._protocol})
            self._force_close(error)
            return None
