"""An event log that is read as a list."""

from collections.abc import Mapping
from typing import Any

from headrace.server.stats.event_log import EventLog


class RecordedEvents(EventLog):
    """Writes nothing; `events` are names and fields."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[tuple[str, dict[str, Any]]] = []

    def write(self, name: str, fields: Mapping[str, object]) -> None:
        self.events.append((name, dict(fields)))
