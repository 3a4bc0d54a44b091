"""Questions and answers on a Unix socket, a line each: the side that answers.

Only programs of the same user are heard, and those of the administrator, who may do as he likes anyway.
Whoever is slow, silent or long-winded is let go.
"""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import msgspec

from headrace.base.errors import DocumentError

__all__ = ["MAX_CONNECTIONS", "PATIENCE", "Caller", "LineServer", "Refusal", "read_refusal"]

#: Connections at a time; there is one person.
MAX_CONNECTIONS: Final = 16
#: Seconds in which a question has to come, and an answer to be taken.
PATIENCE: Final = 10.0
#: Seconds that a connection has for what is still to go out when it is closed.
LAST_WORDS: Final = 1.0
#: Bytes that may wait for a reader before it counts as slow.
_BACKLOG = 1 << 16


class Refusal(msgspec.Struct, frozen=True):
    """The answer to a question that is none."""

    error: str


def read_refusal(line: bytes) -> str:
    """Return why a question was refused, "" if the line is another answer."""
    try:
        return msgspec.json.decode(line, type=Refusal).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""


class Caller:
    """Somebody who has connected."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def question(self) -> bytes:
        """Return the next line. Raises EOFError or TimeoutError without one, DocumentError if it is long."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._reader.readuntil(b"\n")
        except asyncio.LimitOverrunError as error:
            raise DocumentError("a request is shorter than that") from error

    def write(self, answer: object) -> None:
        """Send an answer, which is not waited for."""
        self._writer.write(msgspec.json.encode(answer) + b"\n")

    async def send(self, answer: object) -> None:
        """Send an answer. Raises TimeoutError if it is not taken."""
        self.write(answer)
        async with asyncio.timeout(PATIENCE):
            await self._writer.drain()

    async def gone(self) -> None:
        """Wait until the caller has hung up; what it says until then is not kept."""
        with contextlib.suppress(OSError):
            while await self._reader.read(1024):
                pass


class LineServer:
    """Has `serve` talk to callers, several at a time. A question may have `longest` bytes."""

    def __init__(self, serve: Callable[[Caller], Awaitable[None]], *, longest: int) -> None:
        self._serve = serve
        self._longest = longest
        self._connections: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def answering(self, listener: socket.socket) -> AsyncIterator[None]:
        """Answer on a listening socket during the block."""
        listener.setblocking(False)
        server = await asyncio.start_unix_server(self._accept, sock=listener, limit=self._longest)
        try:
            yield
        finally:
            server.close()
            for task in self._connections:
                task.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            if len(self._connections) <= MAX_CONNECTIONS and _is_same_user(writer):
                writer.transport.set_write_buffer_limits(high=_BACKLOG)
                await self._talk(Caller(reader, writer))
        except (OSError, EOFError, TimeoutError, asyncio.CancelledError):
            pass  # whoever it was is gone, or slow, or we end
        finally:
            await _close(writer)
            self._connections.discard(task)

    async def _talk(self, caller: Caller) -> None:
        try:
            await self._serve(caller)
        except DocumentError as error:
            await caller.send(Refusal(str(error)))


async def _close(writer: asyncio.StreamWriter) -> None:
    """Close when what was written has gone out, or soon."""
    writer.close()
    try:
        async with asyncio.timeout(LAST_WORDS):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        writer.transport.abort()


def _is_same_user(writer: asyncio.StreamWriter) -> bool:
    """Say whether the peer is of our user, or may do as it likes anyway."""
    peer = writer.get_extra_info("socket")
    _, user, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return user in (os.geteuid(), 0)
