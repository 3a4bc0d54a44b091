"""The control socket: other programs of the same user ask a running client how it is, or end it.

It knows nothing of the client but what it is handed: the board, the journal, and how to stop.
"""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable
from typing import Final, Protocol

import msgspec

from headrace.base.clock import Clock
from headrace.base.errors import DocumentError
from headrace.client.control_messages import MAX_REQUEST, Command, Refusal, Request, read_request
from headrace.client.control_place import ControlPlace
from headrace.client.status import StatusBoard
from headrace.establishment.journal import Record

__all__ = ["Control", "Recorded"]

#: Connections at a time; there is one person.
MAX_CONNECTIONS: Final = 16
#: Seconds in which a request has to come, and an answer to be taken.
PATIENCE: Final = 10.0
#: Seconds between two lines to a watcher: what changes in between is told at once.
WATCH_PERIOD: Final = 0.2
#: Seconds that a connection has for what is still to go out when it is closed.
LAST_WORDS: Final = 1.0
#: Bytes that may wait for a reader before it counts as slow.
_BACKLOG = 1 << 16


class Recorded(Protocol):
    """Where the record of the last establishment comes from: a Journal."""

    def record(self, now: float) -> Record | None:
        """Return the record as it stands."""
        ...


class Control:
    """Answers on a socket. `stop` begins the client's orderly end; `journal` is read on `clock`."""

    def __init__(self, board: StatusBoard, journal: Recorded, stop: Callable[[], None], clock: Clock) -> None:
        self._board = board
        self._journal = journal
        self._stop = stop
        self._clock = clock
        self._connections: set[asyncio.Task[None]] = set()
        self._watchers: set[asyncio.StreamWriter] = set()

    @contextlib.asynccontextmanager
    async def listening(self, place: ControlPlace) -> AsyncIterator[None]:
        """Answer during the block. The name must be held. Raises OSError if there can be no socket."""
        listener = _listen(str(place.socket))
        server = await asyncio.start_unix_server(self._accept, sock=listener, limit=MAX_REQUEST)
        try:
            yield
        finally:
            server.close()
            for watcher in self._watchers:  # who is told why it ended
                watcher.write(self._status())
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
                await self._serve(reader, writer)
        except (OSError, TimeoutError, asyncio.CancelledError):
            pass  # whoever it was is gone, or slow, or the client ends
        finally:
            await _close(writer)
            self._connections.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                async with asyncio.timeout(PATIENCE):
                    line = await reader.readuntil(b"\n")
                request = read_request(line)
            except asyncio.IncompleteReadError:
                return
            except (asyncio.LimitOverrunError, DocumentError) as error:
                text = str(error) if isinstance(error, DocumentError) else "a request is shorter than that"
                await _send(writer, msgspec.json.encode(Refusal(text)) + b"\n")
                return
            if request.command is Command.WATCH:
                await self._watch(reader, writer)
                return
            await _send(writer, self._answer(request))
            if request.command is Command.STOP:
                self._stop()
                await _gone(reader)  # the connection lasts until the client has ended

    def _answer(self, request: Request) -> bytes:
        if request.command is Command.EXPLAIN:
            record = self._journal.record(self._clock.monotonic())
            return (b"null" if record is None else record.to_json()) + b"\n"
        if request.command is Command.STOP:
            self._board.stopping()
        return self._status()

    def _status(self) -> bytes:
        return msgspec.json.encode(self._board.status()) + b"\n"

    async def _watch(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send what changes, until the watcher goes."""
        changed = asyncio.Event()
        end = self._board.watch(changed.set)
        gone = asyncio.create_task(_gone(reader))
        gone.add_done_callback(lambda _: changed.set())
        self._watchers.add(writer)
        try:
            while not gone.done():
                changed.clear()
                await _send(writer, self._status())
                await asyncio.wait((gone,), timeout=WATCH_PERIOD)
                await changed.wait()
        finally:
            self._watchers.discard(writer)
            end()
            gone.cancel()


async def _send(writer: asyncio.StreamWriter, line: bytes) -> None:
    """Raises TimeoutError if it is not taken."""
    writer.write(line)
    async with asyncio.timeout(PATIENCE):
        await writer.drain()


async def _gone(reader: asyncio.StreamReader) -> None:
    """Wait until the peer has closed; what it says until then is not kept."""
    with contextlib.suppress(OSError):
        while await reader.read(MAX_REQUEST):
            pass


async def _close(writer: asyncio.StreamWriter) -> None:
    """Close when what was written has gone out, or soon."""
    writer.close()
    try:
        async with asyncio.timeout(LAST_WORDS):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        writer.transport.abort()


def _listen(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(path)
        os.chmod(path, 0o600)
        listener.listen(MAX_CONNECTIONS)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def _is_same_user(writer: asyncio.StreamWriter) -> bool:
    """Say whether the peer is of our user, or may do as it likes anyway."""
    peer = writer.get_extra_info("socket")
    _, user, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return user in (os.geteuid(), 0)
