"""What is said through a port forward, byte for byte comparable at both ends.

    client                               origin
      all of `up`, then EOF  ──►           ◄── first half of `down`, at once
                                           after the client's EOF: compares `up`
      compares `down`        ◄──           second half of `down`, then EOF

Both directions are busy at the same time, in pieces of random sizes, and the second half of `down` comes only
if half-close arrives.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Protocol

__all__ = ["MEGABYTE", "Conversation", "Reader", "Writer", "listening"]

MEGABYTE = 1 << 20
_PIECE = 80_000


class Reader(Protocol):
    async def read(self, n: int = -1, /) -> bytes: ...


class Writer(Protocol):
    def write(self, data: bytes, /) -> None: ...
    async def drain(self) -> None: ...
    def write_eof(self) -> None: ...
    def close(self) -> None: ...
    async def wait_closed(self) -> None: ...


class Conversation:
    """Two streams of random bytes, `size` each way."""

    def __init__(self, size: int = MEGABYTE, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self.up = self._random.randbytes(size)
        self.down = self._random.randbytes(size)

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Cut `data` into pieces of a byte to two packets and more."""
        start = 0
        while start < len(data):
            end = start + self._random.randint(1, _PIECE)
            yield data[start:end]
            start = end

    async def hold(self, reader: Reader, writer: Writer) -> None:
        """Be the client. Raises AssertionError if another stream than `down` came."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._say(writer, self.up, eof=True))
            heard = group.create_task(_all(reader))
        writer.close()
        await writer.wait_closed()
        _compare(heard.result(), self.down)

    async def answer(self, reader: Reader, writer: Writer) -> None:
        """Be the origin. Raises AssertionError if another stream than `up` came."""
        half = len(self.down) // 2
        async with asyncio.TaskGroup() as group:
            group.create_task(self._say(writer, self.down[:half]))
            heard = group.create_task(_all(reader))
        _compare(heard.result(), self.up)
        await self._say(writer, self.down[half:], eof=True)
        writer.close()
        await writer.wait_closed()

    async def _say(self, writer: Writer, data: bytes, *, eof: bool = False) -> None:
        for piece in self.pieces(data):
            writer.write(piece)
            await writer.drain()
        if eof:
            writer.write_eof()
            await writer.drain()


async def _all(reader: Reader) -> bytes:
    heard = bytearray()
    while piece := await reader.read(_PIECE):
        heard += piece
    return bytes(heard)


def _compare(heard: bytes, said: bytes) -> None:
    """Like `==`, but a failure does not print megabytes."""
    if heard != said:
        same = next((i for i, (a, b) in enumerate(zip(heard, said, strict=False)) if a != b), -1)
        raise AssertionError(f"{len(heard)} of {len(said)} bytes came; first difference at {same}")


@asynccontextmanager
async def listening(conversation: Conversation) -> AsyncIterator[int]:
    """Run an origin on a port of its own; on leaving, raise what any of its conversations raised."""
    ends: list[asyncio.Future[None]] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends.append(end := asyncio.get_running_loop().create_future())
        try:
            await conversation.answer(reader, writer)
            end.set_result(None)
        except Exception as error:
            writer.close()
            end.set_exception(error)

    server = await asyncio.start_server(accept, "127.0.0.1")
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
    for end in ends:
        await end
    assert ends, "nobody came to the origin"
