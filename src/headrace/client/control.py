"""The control socket: other programs of the same user ask a running client how it is, or end it.

It knows nothing of the client but what it is handed: the board, the journal, and how to stop.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable
from typing import Final, Protocol

import msgspec

from headrace.base.clock import Clock
from headrace.client.control_messages import MAX_REQUEST, Command, read_request
from headrace.client.control_place import ControlPlace
from headrace.client.status import StatusBoard
from headrace.establishment.journal import Record
from headrace.net.line_server import MAX_CONNECTIONS, Caller, LineServer

__all__ = ["Control", "Recorded"]

#: Seconds between two lines to a watcher: what changes in between is told at once.
WATCH_PERIOD: Final = 0.2


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
        self._watchers: set[Caller] = set()
        self._server = LineServer(self._serve, longest=MAX_REQUEST)

    @contextlib.asynccontextmanager
    async def listening(self, place: ControlPlace) -> AsyncIterator[None]:
        """Answer during the block. The name must be held. Raises OSError if there can be no socket."""
        async with self._server.answering(_listen(str(place.socket))):
            try:
                yield
            finally:
                for watcher in self._watchers:  # who is told why it ended
                    watcher.write(self._board.status())

    async def _serve(self, caller: Caller) -> None:
        while True:
            match read_request(await caller.question()).command:
                case Command.STATUS:
                    await caller.send(self._board.status())
                case Command.EXPLAIN:
                    await caller.send(self._explanation())
                case Command.WATCH:
                    await self._watch(caller)
                    return
                case Command.STOP:
                    self._board.stopping()
                    await caller.send(self._board.status())
                    self._stop()
                    await caller.gone()  # the connection lasts until the client has ended
                    return

    def _explanation(self) -> msgspec.Raw:
        record = self._journal.record(self._clock.monotonic())
        return msgspec.Raw(b"null" if record is None else record.to_json())

    async def _watch(self, caller: Caller) -> None:
        """Send what changes, until the watcher goes."""
        changed = asyncio.Event()
        end = self._board.watch(changed.set)
        gone = asyncio.create_task(caller.gone())
        gone.add_done_callback(lambda _: changed.set())
        self._watchers.add(caller)
        try:
            while not gone.done():
                changed.clear()
                await caller.send(self._board.status())
                await asyncio.wait((gone,), timeout=WATCH_PERIOD)
                await changed.wait()
        finally:
            self._watchers.discard(caller)
            end()
            gone.cancel()


def _listen(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(path)
        os.chmod(path, 0o600)
        listener.listen(MAX_CONNECTIONS)
    except OSError:
        listener.close()
        raise
    return listener
