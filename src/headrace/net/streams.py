"""Byte streams to await, for the few places that talk HTTP: a channel or a socket, read piece by piece.

Bulk port forwards do not come here, they have `relay`. Back-pressure is kept all the same: a stream whose
reader is behind grants its peer no more, and `write` returns only when the way out has room again.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, cast

from headrace.base.errors import ConnectTimeout, NetworkError
from headrace.net.dial import half_close, reset
from headrace.ssh.channel import MAX_DATA, Channel, Endpoint
from headrace.ssh.forwarding import Failure

__all__ = ["ByteStream", "ChannelStream", "ForwardRefused", "SocketStream", "feed", "join"]

#: The reader is behind above this many unread bytes; so is the socket with as many unwritten ones.
HIGH, LOW = 128 * 1024, 32 * 1024
#: Seconds for the peer to agree to a channel.
OPEN_TIMEOUT: Final = 10.0


class ForwardRefused(NetworkError):
    """The server did not open the port forward; `reason` is one of RFC 4254 §5.1, `why` what it says."""

    def __init__(self, reason: int, text: str = "") -> None:
        super().__init__(f"the server refused the port forward, reason {reason}")
        self.reason = reason
        self.why = Failure.of_refusal(text)


class ByteStream(ABC):
    """What both streams have in common: one reader and one writer may wait at a time."""

    def __init__(self) -> None:
        self._unread: deque[bytes | memoryview] = deque()
        self._size = 0
        self._held = False
        self._ended = False
        self._error: Exception | None = None
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None

    async def read(self, most: int = 1 << 30) -> bytes:
        """Return what has arrived, at most `most` bytes; b"" at the end. Raises NetworkError if it broke."""
        while not self._unread:
            if self._error is not None:
                raise NetworkError("the stream broke") from self._error
            if self._ended:
                return b""
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        piece = self._unread.popleft()
        if len(piece) > most:
            self._unread.appendleft(memoryview(piece)[most:])
            piece = piece[:most]
        self._size -= len(piece)
        if self._held and self._size <= LOW:
            self._held = False
            self._release()
        return bytes(piece)

    @abstractmethod
    async def write(self, data: bytes) -> None:
        """Send all of `data`, waiting while the way out is full. Raises NetworkError if it is closed."""

    @abstractmethod
    def write_eof(self) -> None:
        """Say that we send no more."""

    @abstractmethod
    def close(self) -> None:
        """Close in both directions after what was written."""

    @property
    def quiet(self) -> bool:
        """Whether the stream is open and everything that arrived has been read."""
        return not (self._unread or self._ended)

    # ---- for the subclasses ---------------------------------------------------------------------------

    @abstractmethod
    def _hold(self) -> None:
        """Let nothing more arrive than is on its way."""

    @abstractmethod
    def _release(self) -> None:
        """The reader caught up."""

    def _arrived(self, data: bytes | memoryview) -> None:
        self._unread.append(data)
        self._size += len(data)
        if self._size > HIGH and not self._held:
            self._held = True
            self._hold()
        _wake(self._reader)

    def _finish(self, error: Exception | None = None) -> None:
        self._ended = True
        self._error = self._error or error
        _wake(self._reader)

    async def _wait_to_write(self) -> None:
        self._writer = asyncio.get_running_loop().create_future()
        await self._writer


class ChannelStream(ByteStream):
    """A channel's endpoint, to read and write. `open` makes one."""

    def __init__(self) -> None:
        super().__init__()
        self._channel: Channel | None = None
        self._opening: asyncio.Future[Channel] = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(cls, ask: Callable[[Endpoint], object], timeout: float = OPEN_TIMEOUT) -> "ChannelStream":
        """Call `ask` with the endpoint to open a channel for, and wait for the outcome.

        Raises ForwardRefused, ConnectTimeout, or another NetworkError.
        """
        stream = cls()
        ask(stream)
        try:
            async with asyncio.timeout(timeout):
                await stream._opening
        except TimeoutError as error:
            raise ConnectTimeout(f"no port forward within {timeout:g} s") from error
        except asyncio.CancelledError:
            stream.close()
            raise
        return stream

    async def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            channel = self._channel
            if channel is None:
                raise NetworkError("the channel is closed") from self._error
            room = min(channel.room, MAX_DATA)
            if not room:
                channel.wait()
                await self._wait_to_write()
                continue
            channel.send(view[:room])
            view = view[room:]

    def write_eof(self) -> None:
        if self._channel is not None:
            self._channel.eof()

    def close(self) -> None:
        self._opening.cancel()
        channel, self._channel = self._channel, None
        self._finish()
        if channel is not None:
            channel.close()
        _wake(self._writer)

    def hand_over(self, endpoint: Endpoint) -> None:
        """Put `endpoint` in charge of the channel, as if it had been there from the start."""
        channel = self._opening.result()
        here, self._channel = self._channel is not None, None
        if here:
            channel.endpoint = endpoint
            channel.release()
        endpoint.opened(channel)
        for piece in self._unread:
            endpoint.data(memoryview(piece))
        if self._ended and self._error is None:
            endpoint.eof()
        if not here:
            endpoint.closed(self._error)

    def _hold(self) -> None:
        if self._channel is not None:
            self._channel.hold()

    def _release(self) -> None:
        if self._channel is not None:
            self._channel.release()

    # ---- what the channel calls -----------------------------------------------------------------------

    def opened(self, channel: Channel) -> None:
        if self._opening.done():  # nobody waits for it any more
            channel.close()
        else:
            self._channel = channel
            self._opening.set_result(channel)

    def refused(self, reason: int, text: str) -> None:
        if not self._opening.done():
            self._opening.set_exception(ForwardRefused(reason, text))

    def data(self, view: memoryview) -> None:
        if self._channel is not None:
            self._arrived(view)

    def pause(self) -> None:
        """Nothing to stop: `write` looks at the room there is."""

    def writable(self) -> None:
        _wake(self._writer)

    def eof(self) -> None:
        self._finish()

    def closed(self, error: Exception | None) -> None:
        self._channel = None
        if not self._opening.done():
            self._opening.set_exception(NetworkError("the tunnel was lost before the port forward opened"))
        self._finish(error)
        _wake(self._writer)


class SocketStream(ByteStream, asyncio.Protocol):
    """A TCP connection's protocol, to read and write."""

    def __init__(self) -> None:
        super().__init__()
        self._tcp: asyncio.Transport | None = None
        self._paused = False

    async def write(self, data: bytes) -> None:
        tcp = self._tcp
        if tcp is None or tcp.is_closing():
            raise NetworkError("the connection is closed") from self._error
        tcp.write(data)
        while self._paused and self._tcp is not None:
            await self._wait_to_write()

    def write_eof(self) -> None:
        if self._tcp is not None:
            half_close(self._tcp)

    def close(self) -> None:
        if self._tcp is not None:
            self._tcp.close()

    @property
    def peer_address(self) -> str:
        """The IP address at the other end; empty once there is none."""
        name = self._tcp.get_extra_info("peername") if self._tcp is not None else None
        return str(name[0]) if name else ""

    def abort(self) -> None:
        """Drop the connection, so that the peer cannot take what it has for everything."""
        if self._tcp is not None:
            reset(self._tcp)

    async def finish(self, patience: float) -> None:
        """Close so that the peer gets what was written: closing on unread bytes would reset the connection.

        What the peer still sends is thrown away for up to `patience` seconds.
        """
        self.write_eof()
        with suppress(TimeoutError, NetworkError):
            async with asyncio.timeout(patience):
                while await self.read():
                    pass
        self.close()

    def hand_over(self, protocol: asyncio.BaseProtocol) -> asyncio.Transport:
        """Put `protocol` in charge of the connection, as if it had been there from the start.

        Raises NetworkError if it is closed.
        """
        tcp = self._tcp
        if tcp is None or tcp.is_closing():
            raise NetworkError("the connection is closed") from self._error
        tcp.set_protocol(protocol)
        if self._held:
            tcp.resume_reading()
        protocol.connection_made(tcp)
        for piece in self._unread:
            if not tcp.is_closing():
                feed(protocol, memoryview(piece))
        if self._ended and not tcp.is_closing():
            assert isinstance(protocol, asyncio.Protocol | asyncio.BufferedProtocol)
            if not protocol.eof_received():
                tcp.close()
        return tcp

    def _hold(self) -> None:
        if self._tcp is not None and not self._tcp.is_closing():
            self._tcp.pause_reading()

    def _release(self) -> None:
        if self._tcp is not None and not self._tcp.is_closing():
            self._tcp.resume_reading()

    # ---- what the loop calls --------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._tcp = cast("asyncio.Transport", transport)
        self._tcp.set_write_buffer_limits(HIGH, LOW)

    def data_received(self, data: bytes) -> None:
        self._arrived(data)

    def eof_received(self) -> bool:
        self._finish()
        return True  # keep our side open: the peer may still want an answer

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        _wake(self._writer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._tcp = None
        self._finish(exc)
        _wake(self._writer)


def feed(protocol: asyncio.BaseProtocol, view: memoryview) -> None:
    """Give a protocol what has arrived, in the way of its kind."""
    if not isinstance(protocol, asyncio.BufferedProtocol):
        assert isinstance(protocol, asyncio.Protocol)
        protocol.data_received(bytes(view))
        return
    while view:
        buffer = memoryview(protocol.get_buffer(len(view)))
        if not buffer:
            raise RuntimeError("a protocol has no buffer")
        count = min(len(buffer), len(view))
        buffer[:count] = view[:count]
        protocol.buffer_updated(count)
        view = view[count:]


async def join(one: ByteStream, other: ByteStream) -> None:
    """Pass on what each says to the other until both have ended or one has broken; then close both."""

    async def pass_on(source: ByteStream, target: ByteStream) -> None:
        while piece := await source.read():
            await target.write(piece)
        target.write_eof()

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(pass_on(one, other))
            group.create_task(pass_on(other, one))
    except* NetworkError:
        pass  # whoever is left hears of it
    finally:
        one.close()
        other.close()


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
