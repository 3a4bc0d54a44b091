"""A relay that cuts what a client says first into several segments, as slow links and some programs do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from typing import Final

__all__ = ["cut", "cutting"]

_PIECE: Final = 65536
_HEAD_END: Final = b"\r\n\r\n"


def cut(data: bytes, pieces: int) -> list[bytes]:
    """Return the HTTP head that `data` begins with in so many pieces of about one size, then the rest."""
    end = data.find(_HEAD_END) + len(_HEAD_END) if _HEAD_END in data else len(data)
    places = [end * number // pieces for number in range(pieces + 1)]
    parts = [data[first:last] for first, last in pairwise(places)]
    return [part for part in (*parts, data[end:]) if part]


@asynccontextmanager
async def cutting(port: int, pieces: int) -> AsyncIterator[int]:
    """Relay connections to this loopback port while the block runs; yields the port to use instead.

    Each piece is a write of its own, and a segment, as both sockets wait for no more (TCP_NODELAY).
    """

    relays: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        relay = asyncio.ensure_future(_relay(reader, writer, port, pieces))
        relays.add(relay)
        relay.add_done_callback(relays.discard)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for relay in relays:
            relay.cancel()
        await asyncio.gather(*relays, return_exceptions=True)


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, pieces: int) -> None:
    onward, onwriter = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in cut(await reader.read(_PIECE), pieces):
            onwriter.write(part)
            await onwriter.drain()
        await asyncio.gather(_pass_on(reader, onwriter), _pass_on(onward, writer))
    finally:
        onwriter.close()
        writer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(_PIECE):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
