"""Statistics of tunnels that failed, for the next report to a server (client spec §7).

They say which server, over what, on what kind of network and how; not from where, and not where to. What
failed in the same way in the same hour is one record.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from headrace.base.clock import Clock
from headrace.base.redact import scrub_addresses
from headrace.client import api
from headrace.establishment.dial_parameters import DialParameters
from headrace.ssh.liveness import LivenessRequest
from headrace.store.client.store import ClientStore

__all__ = ["STATISTICS", "FailedTunnels", "Progress"]

#: What these statistics are filed under.
STATISTICS: Final = "failedTunnelStats"
#: Characters of an error that are kept.
MAX_ERROR: Final = 200
_HOUR: Final = "%Y-%m-%dT%H:00:00Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What had passed when a tunnel failed, in bytes; of the liveness test, if one was begun, both ways."""

    sent: int = 0
    received: int = 0
    liveness: LivenessRequest | None = None
    liveness_sent: int = 0
    liveness_received: int = 0


class FailedTunnels:
    """Writes the records.

    `network_type` gives the kind of network we are on, `last_connected` the hour that a server named last.
    """

    def __init__(
        self,
        identity: api.Identity,
        store: ClientStore | None,
        clock: Clock,
        *,
        network_type: Callable[[], str] = lambda: "",
        last_connected: Callable[[], str] = lambda: "",
    ) -> None:
        self._identity = identity
        self._store = store
        self._clock = clock
        self._network_type = network_type
        self._last_connected = last_connected

    def record(self, attempt: DialParameters, error: object, progress: Progress | None = None) -> None:
        """Keep that an attempt failed, or a tunnel that was up, and with what error."""
        if self._store is None:
            return
        done = progress or Progress()
        fields = {
            **api.about_attempt(self._identity, attempt, self._network_type()),
            "session_id": "",  # servers insist on one; which run it was is nobody's business
            "server_entry_tag": attempt.entry.effective_tag,
            "last_connected": self._last_connected() or "None",
            "client_failed_timestamp": datetime.fromtimestamp(self._clock.time(), UTC).strftime(_HOUR),
            **_liveness(done),
            "bytes_up": str(done.sent),
            "bytes_down": str(done.received),
            "tunnel_error": scrub_addresses(str(error) or type(error).__name__)[:MAX_ERROR],
        }
        self._store.statistics.add(STATISTICS, json.dumps(fields, separators=(",", ":")).encode())


def _liveness(progress: Progress) -> dict[str, str]:
    request = progress.liveness
    if request is None:
        return {}
    return {
        "liveness_test_upstream_bytes": str(request.up),
        "liveness_test_sent_upstream_bytes": str(progress.liveness_sent),
        "liveness_test_downstream_bytes": str(request.down),
        "liveness_test_received_downstream_bytes": str(progress.liveness_received),
    }
