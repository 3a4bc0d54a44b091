"""What the supervisor's process tells of the server beside its workers: load reports and the metrics page."""

from collections.abc import Sequence
from pathlib import Path

from headrace.documents.server_config import ServerConfig
from headrace.server.service import Duty, Service
from headrace.server.stats.event_log import open_event_log
from headrace.server.stats.load_reports import LoadReports

__all__ = ["observation_duties"]


def observation_duties(config: ServerConfig, directory: Path) -> Sequence[Duty]:
    """Return what is to be done for it; file names are relative to `directory`."""

    async def report_load(service: Service) -> None:
        events = open_event_log(config, directory)
        await LoadReports(config, events, service.supervisor.snapshot).run(service.load_wanted)

    async def show_metrics(service: Service) -> None:
        from headrace.server.metrics_page import MetricsPage  # has more to import than the rest of us

        assert config.metrics_place is not None
        page = MetricsPage(service.supervisor.snapshot, config.metrics_minimum_clients)
        await page.serve(*config.metrics_place)

    return [report_load, show_metrics] if config.metrics_place else [report_load]
