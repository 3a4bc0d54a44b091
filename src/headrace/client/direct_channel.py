"""A connection past the tunnel that behaves like a channel, for endpoints that know nothing else."""

import asyncio
from typing import Final, Protocol

from headrace.base.errors import NetworkError
from headrace.net.streams import ByteStream

__all__ = ["DirectChannel"]

#: Bytes that may be sent while none are under way.
ROOM: Final = 64 * 1024


class _Endpoint(Protocol):
    def data(self, view: memoryview) -> None: ...
    def writable(self) -> None: ...
    def closed(self, error: Exception | None) -> None: ...


class DirectChannel:
    """Joins a stream and an endpoint. Like a channel's, the endpoint's last call is `closed`."""

    def __init__(self, stream: ByteStream, endpoint: _Endpoint, loop: asyncio.AbstractEventLoop) -> None:
        self._stream = stream
        self._endpoint = endpoint
        self._loop = loop
        self._waiting = False
        self._released = asyncio.Event()
        self._released.set()
        self._writing: asyncio.Task[None] | None = None
        self._reading = loop.create_task(self._read())

    @property
    def room(self) -> int:
        """How many bytes may be sent right now."""
        return 0 if self._writing is not None else ROOM

    def send(self, data: bytes | memoryview) -> None:
        """Send data, at most `room` bytes."""
        self._writing = self._loop.create_task(self._write(bytes(data)))

    def wait(self) -> None:
        """Ask for `writable` once there is room."""
        self._waiting = True

    def hold(self) -> None:
        """Read no more for the moment."""
        self._released.clear()

    def release(self) -> None:
        """Read on."""
        self._released.set()

    def close(self) -> None:
        """Close in both directions."""
        self._reading.cancel()
        if self._writing is not None:
            self._writing.cancel()
        self._stream.close()

    async def _write(self, data: bytes) -> None:
        try:
            await self._stream.write(data)
        except NetworkError:
            return  # whoever reads hears of it
        self._writing = None
        if self._waiting:
            self._waiting = False
            self._endpoint.writable()

    async def _read(self) -> None:
        lost: Exception | None = None
        try:
            while piece := await self._stream.read():
                await self._released.wait()
                self._endpoint.data(memoryview(piece))
        except NetworkError as error:
            lost = error
        self._stream.close()
        self._endpoint.closed(lost)
