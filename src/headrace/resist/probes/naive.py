"""A server that gives itself away in every way we look for: the control, to show that we would see it.

It ends a connection once it has read 50 bytes, with RST if more came; it answers what begins like HTTP;
whoever sends less it leaves alone until its time is up.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from headrace.base.rng import Rng
from headrace.server.patience import Patience

__all__ = ["READS", "naive_server"]

#: Bytes after which it has seen enough.
READS: Final = 50
_ERROR: Final = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"


@asynccontextmanager
async def naive_server(limit: float, rng: Rng) -> AsyncIterator[int]:
    """Serve on a port of loopback, which is returned. A short probe is left alone for `limit` seconds."""
    patience = Patience(limit)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(patience.draw(rng)):
                start = await reader.readexactly(READS)
            if start.startswith((b"GET ", b"POST ")):
                writer.write(_ERROR)
        except (TimeoutError, asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=READS)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
