"""The relay: one object that is a local socket's protocol and its channel's endpoint at the same time.

Bytes from the socket are sealed where they landed; bytes from the channel are written to the socket as they
came out of the packet. There is no other hop and no queue: when the channel has no room the socket is not
read, and while the socket is behind the channel gets no new window. Half-close passes through both ways.
"""

import asyncio
from collections.abc import Callable
from typing import Final, cast

from headrace.net.dial import half_close, reset
from headrace.net.scratch import Scratch
from headrace.ssh.channel import AFTER, BEFORE, Channel

__all__ = ["Relay"]

#: Most bytes read at once: four full packets.
READ: Final = 128 * 1024
#: Shared by every relay of the thread: asked for, filled and sealed in one step.
_SCRATCH: Final = Scratch(BEFORE + READ + AFTER)
#: The socket is behind above this many unwritten bytes.
HIGH, LOW = 48 * 1024, 16 * 1024


class Relay(asyncio.BufferedProtocol):
    """Joins one socket and one channel. `finished` is called when both are done with."""

    __slots__ = (
        "_channel",
        "_finished",
        "_local_done",
        "_reading",
        "_remote_done",
        "_stash",
        "_tcp",
        "_unwritten",
        "busy",
        "bytes_in",
        "bytes_out",
    )

    def __init__(self, finished: Callable[["Relay"], None] | None = None) -> None:
        self._channel: Channel | None = None
        self._tcp: asyncio.Transport | None = None
        self._finished = finished
        self._stash = b""
        self._unwritten = 0
        self._reading = True
        self._local_done = False
        self._remote_done = False
        self.busy = True  #: bytes have passed since `stirred` was last asked
        self.bytes_in = 0  #: read from the socket
        self.bytes_out = 0  #: given to the socket

    def attach(self, channel: Channel, tcp: asyncio.BaseTransport | None = None, first: bytes = b"") -> None:
        """Begin relaying between the socket and an open channel.

        `tcp` is a socket that had another protocol before (the caller gives it this one); `first` was read
        from it already.
        """
        if tcp is not None:
            self.connection_made(tcp)
        self._channel = channel
        self._stash += first
        if self._tcp is None:
            channel.close()
        else:
            self.writable()

    def stirred(self) -> bool:
        """Whether anything has passed since this was last asked, if only out of the socket's buffer."""
        unwritten = self.buffered
        stirred = self.busy or unwritten < self._unwritten
        self.busy, self._unwritten = False, unwritten
        return stirred

    @property
    def buffered(self) -> int:
        """Bytes that the socket has not taken yet."""
        return self._tcp.get_write_buffer_size() if self._tcp is not None else 0

    @property
    def closing(self) -> bool:
        """Whether the socket is gone, or will be once what is unwritten has left."""
        return self._tcp is None or self._tcp.is_closing()

    @property
    def half_closed(self) -> bool:
        """Whether the far side has finished, so that only the near side is waited for."""
        return self._remote_done

    # ---- the socket's side ----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._tcp = tcp = cast("asyncio.Transport", transport)
        tcp.set_write_buffer_limits(HIGH, LOW)

    def get_buffer(self, sizehint: int) -> memoryview:
        start = BEFORE
        scratch, stash = _SCRATCH.view, self._stash
        if stash:
            start += len(stash)
            scratch[BEFORE:start] = stash
        room = self._channel.room if self._channel is not None else 0
        # Without room a read cannot be prevented here, but it can be kept to one byte.
        return scratch[start : max(start + 1, min(BEFORE + READ, BEFORE + room))]

    def buffer_updated(self, nbytes: int) -> None:
        self.bytes_in += nbytes
        channel = self._channel
        size = nbytes + len(self._stash)
        if channel is None or channel.room < size:
            self._stash = bytes(_SCRATCH.view[BEFORE : BEFORE + size])
            self._stop_reading()
            return
        self._stash = b""
        self.busy = True
        channel.send_from(_SCRATCH.view, BEFORE, BEFORE + size)
        if not self._reading:
            return
        if not channel.room:
            self._stop_reading()
        elif nbytes == READ and self._tcp is not None:  # there is more: let the others have their turn first
            self._tcp.pause_reading()
            asyncio.get_running_loop().call_soon(self._go_on)

    def eof_received(self) -> bool:
        self._local_done = True
        if not self._stash:
            self._end_sending()
        return self._tcp is not None  # keep our side open: the far side may still have something to say

    def pause_writing(self) -> None:
        if self._channel is not None:
            self._channel.hold()

    def resume_writing(self) -> None:
        if self._channel is not None:
            self._channel.release()

    def connection_lost(self, exc: Exception | None) -> None:
        self._tcp = None
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()
        self._finish()

    # ---- the channel's side ---------------------------------------------------------------------------

    def opened(self, channel: Channel) -> None:
        self._channel = channel

    def refused(self, reason: int, text: str) -> None:
        self._channel = None
        self.close()

    def data(self, view: memoryview) -> None:
        self.busy = True
        if self._tcp is not None:
            self.bytes_out += len(view)
            self._tcp.write(view)

    def pause(self) -> None:
        self._reading = False
        if self._tcp is not None and not self._tcp.is_closing():
            self._tcp.pause_reading()

    def writable(self) -> None:
        if self._stash and not self._send_stash():
            return
        if self._local_done:
            self._end_sending()
        elif not self._reading and self._tcp is not None and not self._tcp.is_closing():
            self._reading = True
            self._tcp.resume_reading()

    def eof(self) -> None:
        self._remote_done = True
        tcp = self._tcp
        if tcp is None or tcp.is_closing():
            return
        if self._local_done and not self._stash:
            self._end_sending()
            return
        half_close(tcp)
        self.busy = True

    def closed(self, error: Exception | None) -> None:
        self._channel = None
        if self._tcp is not None:
            if error is None:
                self._tcp.close()
            else:
                reset(self._tcp)  # the application must not take a broken stream for a finished one
        else:
            self._finish()

    # ---- both -----------------------------------------------------------------------------------------

    def close(self) -> None:
        """End the relay from outside: close both sides."""
        if self._channel is not None:
            self._channel.close()
        if self._tcp is not None:
            self._tcp.close()

    def abort(self) -> None:
        """Drop the socket with what is unwritten."""
        if self._tcp is not None:
            reset(self._tcp)

    def _stop_reading(self) -> None:
        self.pause()
        if self._channel is not None:
            self._channel.wait()

    def _go_on(self) -> None:
        if self._reading and self._tcp is not None and not self._tcp.is_closing():
            self._tcp.resume_reading()

    def _send_stash(self) -> bool:
        channel = self._channel
        if channel is None:
            return False
        room = channel.room
        ready, self._stash = self._stash[:room], self._stash[room:]
        if ready:
            channel.send(ready)
        if self._stash:
            self._stop_reading()
        return not self._stash

    def _end_sending(self) -> None:
        channel = self._channel
        if channel is None:
            return
        if not self._remote_done:
            channel.eof()
            return
        channel.close()  # which says that there is no more data, too
        if self._tcp is not None:
            self._tcp.close()

    def _finish(self) -> None:
        finished, self._finished = self._finished, None
        if finished is not None and self._tcp is None:
            finished(self)
