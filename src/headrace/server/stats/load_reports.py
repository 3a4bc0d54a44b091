"""The server's load, told now and then and whenever it is asked for."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from headrace.documents.server_config import ServerConfig
from headrace.server.stats.event_log import EventLog
from headrace.server.stats.load_events import load_events
from headrace.server.stats.machine_figures import MachineFigures
from headrace.server.stats.snapshot import Snapshot
from headrace.server.stats.worker_stats import entry_fields

__all__ = ["LoadReports"]


class LoadReports:
    """Writes `server_load`. `snapshot` returns the figures of all workers together."""

    def __init__(
        self,
        config: ServerConfig,
        events: EventLog,
        snapshot: Callable[[], Awaitable[Snapshot]],
        machine: MachineFigures | None = None,
    ) -> None:
        self._period = config.load_monitor_period_seconds or None
        self._protocols = tuple(config.protocol_ports)
        self._entry = entry_fields(config)
        self._events = events
        self._snapshot = snapshot
        self._machine = machine or MachineFigures()
        self._before = Snapshot()

    async def report(self) -> None:
        """Tell the load now."""
        now = await self._snapshot()
        before, self._before = self._before, now
        machine = self._machine.since_last()
        for fields in load_events(now, before, self._protocols):
            self._events.write("server_load", {**self._entry, **fields, **machine})
            machine = {}  # belongs to the server as a whole, not to a country

    async def run(self, wanted: asyncio.Event) -> None:
        """Tell it as often as configured, and whenever it is wanted, without an end."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._period):
                    await wanted.wait()
            wanted.clear()
            await self.report()
