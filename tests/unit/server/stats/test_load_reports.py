import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.recorded_events import RecordedEvents

from headrace.documents.server_config import ServerConfig
from headrace.server.stats.load_reports import LoadReports
from headrace.server.stats.machine_figures import MachineFigures
from headrace.server.stats.snapshot import Snapshot, client_key

pytestmark = pytest.mark.virtual_time


class Reports:
    """Load reports of a server with one tunnel."""

    def __init__(self, directory: Path, period: int) -> None:
        self.events = RecordedEvents()
        self.wanted = asyncio.Event()
        self.clock = asyncio.get_running_loop().time
        config = ServerConfig(
            server_ip_address="192.0.2.1",
            load_monitor_period_seconds=period,
            own_encoded_server_entries={"tag": "entry"},
        )
        self.reports = LoadReports(config, self.events, self._snapshot, MachineFigures(directory))

    async def _snapshot(self) -> Snapshot:
        return Snapshot(workers=1, connections={client_key("OSSH", "DE", "1"): 1})

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.reports.run(self.wanted))
        yield
        task.cancel()


async def test_it_is_told_as_often_as_configured(tmp_path: Path) -> None:
    reports = Reports(tmp_path, 60)
    async with reports.running():
        await asyncio.sleep(301)
    assert len(reports.events.events) == 2 * 5  # of the server, and of a country


async def test_it_is_told_when_wanted_and_only_then(tmp_path: Path) -> None:
    reports = Reports(tmp_path, 0)
    async with reports.running():
        await asyncio.sleep(100_000)
        assert reports.events.events == []
        reports.wanted.set()
        await asyncio.sleep(1)
        reports.wanted.set()
        await asyncio.sleep(1)
    names = [
        (name, fields.get("region"), fields["server_entry_tag"]) for name, fields in reports.events.events
    ]
    assert names == [("server_load", None, "tag"), ("server_load", "DE", "tag")] * 2
