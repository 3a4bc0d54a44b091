"""The event log: a line of JSON for each thing that happened, in the deployed servers' form.

    {"event_name":"server_tunnel","timestamp":"2024-01-02T03:04:00Z","event_id":"5f…","host_id":"h1",…}

Every process writes to the file by itself. A line is one write at the end of the file, so the lines of
several processes never mix. Whatever a field may hold, no address leaves: all texts are redacted.
"""

import json
import logging
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import headrace
from headrace.base.clock import SYSTEM_CLOCK, Clock
from headrace.base.line_file import LineFile
from headrace.base.redact import scrub_value
from headrace.base.rng import SYSTEM_RNG, Rng
from headrace.documents.server_config import ServerConfig

__all__ = ["COARSE", "MAX_TEXT", "EventLog", "open_event_log"]

_log = logging.getLogger(__name__)

#: Seconds to which the time of an event is cut down, for those that follow from what one client did.
COARSE: Final[Mapping[str, int]] = {
    "failed_tunnel": 3600,
    "remote_server_list": 3600,
    "server_blocklist_hit": 3600,
    "server_tunnel": 60,
    "unique_user": 3600,
}
#: Characters that are kept of a text.
MAX_TEXT: Final = 512


class EventLog:
    """Writes to the end of `file`, or to standard error. Never raises: what cannot be written is counted.

    `host` is what every line says of the server: host_id and the like. The file is opened anew when it has
    been moved away, so log rotators need no signal.
    """

    def __init__(
        self,
        file: Path | None = None,
        host: Mapping[str, str] | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
        rng: Rng = SYSTEM_RNG,
    ) -> None:
        self.written: Counter[str] = Counter()  #: lines, by event
        self.dropped = 0
        self._file = LineFile(file)
        self._host = {"build_rev": headrace.__version__, **(host or {})}
        self._clock = clock
        self._rng = rng

    def write(self, name: str, fields: Mapping[str, object]) -> None:
        """Write an event: its fields, and what all events have."""
        lost = self._file.lost
        if self._file.append(self.line(name, fields)):
            self.written[name] += 1
            if lost:
                _log.warning("events can be written again", extra={"dropped": lost})
            return
        self.dropped += 1
        if not lost:
            _log.error("events cannot be written, and are dropped until they can")

    @property
    def counts(self) -> Counter[str]:
        """What to count of it."""
        counts = Counter({f"event.{name}": count for name, count in self.written.items()})
        if self.dropped:
            counts["event_dropped.unwritable"] = self.dropped
        return counts

    def close(self) -> None:
        """Close the file; a later event opens it again."""
        self._file.close()

    def line(self, name: str, fields: Mapping[str, object]) -> bytes:
        """Return what `write` writes."""
        grain = COARSE.get(name, 1)
        seconds = int(self._clock.time()) // grain * grain
        event: dict[str, object] = {
            "event_name": name,
            "timestamp": datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "event_id": self._rng.bytes(16).hex(),
            **self._host,
        }
        said = scrub_value({**event, **fields, **event}, MAX_TEXT)  # whose own fields come first, and win
        text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "replace") + b"\n"


def open_event_log(config: ServerConfig, directory: Path, clock: Clock = SYSTEM_CLOCK) -> EventLog:
    """Return a server's: in a file of its own below `directory`, or along with the rest of the log."""
    host = {"host_id": config.host_id, "provider": config.host_provider}
    file = config.event_log_filename or config.log_filename
    said = {name: value for name, value in host.items() if value}
    return EventLog(directory / file if file else None, said, clock=clock)
