"""What a program has of the client in it: connections, and how the client is doing."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.errors import NetworkError
from headrace.client.assembly import Assembly, data_directory, target_entry
from headrace.client.controller import Controller
from headrace.client.notices import NoticeOptions, Notices
from headrace.client.status import Status, StatusBoard
from headrace.embed.config import Config, read_config
from headrace.embed.connections import Connections
from headrace.embed.feed import Feed

if TYPE_CHECKING:
    import aiohttp
    import httpx

__all__ = ["Event", "Tunnel", "connect"]

#: Events that wait for a slow reader.
MAX_EVENTS: Final = 1000


@dataclass(frozen=True, slots=True)
class Event:
    """Something the client tells: a notice of the type `name`, as docs/notices.md lists them."""

    name: str
    data: Mapping[str, object]


class Tunnel(Connections):
    """A client that runs while the block of `connect` does. Its tunnel is made anew whenever it is lost."""

    def __init__(self, controller: Controller, notices: Notices, board: StatusBoard) -> None:
        super().__init__(controller, controller.connected)
        self._board = board
        self._events: WeakSet[Feed[Event]] = WeakSet()
        self._statuses: WeakSet[Feed[Status]] = WeakSet()
        notices.listen(self._hear)
        board.watch(self._changed)

    # ---- how it is doing ------------------------------------------------------------------------------

    @property
    def status(self) -> Status:
        """How things stand now."""
        return self._board.status()

    def statuses(self) -> AsyncIterator[Status]:
        """Iterate over how things stand: now, and whenever that has changed, until the client has ended.

        A slow reader gets the latest and misses those before.
        """
        feed: Feed[Status] = Feed(1)
        feed.push(self.status)
        return self._add(self._statuses, feed)

    def events(self) -> AsyncIterator[Event]:
        """Iterate over what the client tells from now on, until it has ended.

        For a slow reader a thousand events wait; the oldest are dropped before there are more.
        """
        return self._add(self._events, Feed(MAX_EVENTS))

    def _add(self, feeds: "WeakSet[Feed[Any]]", feed: Feed[Any]) -> Feed[Any]:
        feeds.add(feed)
        if self._ended:
            feed.end()
        return feed

    def _hear(self, name: str, data: Mapping[str, object]) -> None:
        for feed in self._events:
            feed.push(Event(name, dict(data)))

    def _changed(self) -> None:
        if self._statuses:
            status = self.status
            for feed in self._statuses:
                feed.push(status)

    def _end(self) -> None:
        """The client has ended."""
        self.drop()
        feeds: tuple[Feed[Any], ...] = (*self._events, *self._statuses)
        for feed in feeds:
            feed.end()

    # ---- for HTTP libraries ---------------------------------------------------------------------------

    def httpx_transport(self, **settings: Any) -> "httpx.AsyncHTTPTransport":
        """Return a transport for `httpx.AsyncClient`; `settings` are those of httpx.AsyncHTTPTransport."""
        from headrace.embed.httpx_transport import make_transport

        return make_transport(self.open_stream, **settings)

    def aiohttp_connector(self, **settings: Any) -> "aiohttp.TCPConnector":
        """Return a connector for `aiohttp.ClientSession`; `settings` are those of aiohttp.TCPConnector."""
        from headrace.embed.aiohttp_connector import TunnelConnector

        return TunnelConnector(self.create_connection, **settings)


@asynccontextmanager
async def connect(config: Config, *, timeout: float | None = None) -> AsyncIterator[Tunnel]:
    """Run a client for the block, which begins with the first tunnel; no local proxy, no process of its own.

    `config` is a configuration (docs/configuration.md): a mapping, JSON text, the path of a file, or one that
    was read. What the client learns is kept in its DataRootDirectory, or forgotten without one. `timeout` is
    how many seconds the first tunnel may take; without it the configuration says so, which is five minutes
    unless it says otherwise.

    Raises DocumentError or OperatorError for a configuration that cannot be used, NetworkError without a
    tunnel in time.
    """
    settings = read_config(config)
    target = target_entry(settings)
    root = settings.data_root_directory
    directory = data_directory(Path(root)) if root else None
    notices = Notices(None, SYSTEM_CLOCK, NoticeOptions.from_config(settings))
    with Assembly.opened(settings, notices, directory=directory, target=target) as assembly:
        board = StatusBoard(SYSTEM_CLOCK, process=os.getpid())
        notices.listen(board.hear)
        controller = assembly.controller()
        tunnel = Tunnel(controller, notices, board)
        run = asyncio.create_task(controller.run())
        try:
            await _first_tunnel(controller, run, board, timeout)
            yield tunnel
        finally:
            board.stopping()
            controller.stop()
            try:
                await run
            finally:
                tunnel._end()


async def _first_tunnel(
    controller: Controller, run: asyncio.Task[None], board: StatusBoard, timeout: float | None
) -> None:
    connected = asyncio.create_task(controller.connected.wait())
    try:
        await asyncio.wait((run, connected), timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        connected.cancel()
    if controller.connected.is_set():
        return
    if run.done():
        run.result()  # raises what went wrong
    problem = board.status().problem
    limit = f" within {timeout:g} s" if timeout is not None and not run.done() else ""
    raise NetworkError(f"there is no tunnel{limit}{': ' if problem else ''}{problem}")
