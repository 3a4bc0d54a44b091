"""What a server counts, in one list: `worker.counts["rejected.accept_rate"] += 1`.

A name is a family's, then a dot and the one thing that tells its members apart, of which there must be few:
a reason, a protocol. Nothing of a client, and no destination, may be part of a name.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

__all__ = ["FAMILIES", "Family"]


class Family(NamedTuple):
    """Counters of one kind, and the metric they are shown as."""

    metric: str  #: without "headrace_" before it and "_total" behind
    label: str  #: what tells the members apart
    meaning: str
    unit: float = 1.0  #: of the metric, in one of the counter


_MILLISECOND: Final = 0.001

FAMILIES: Final[Mapping[str, Family]] = {
    "accepted": Family("connections_accepted", "protocol", "Connections accepted."),
    "rejected": Family("connections_rejected", "reason", "Connections closed for want of room for them."),
    "stranger": Family("strangers_met", "reason", "Connections whose peer turned out not to be a client."),
    "front": Family("visits", "outcome", "Strangers' HTTP requests, by what became of them."),
    "handshake_failed": Family(
        "handshakes_failed", "reason", "Connections that ended before it was clear what they were."
    ),
    "tunnel": Family("tunnels_begun", "protocol", "Tunnels established."),
    "closed": Family("tunnels_closed", "reason", "Tunnels that the server ended of its own accord."),
    "api": Family("api_requests", "request", "Requests answered."),
    "bytes": Family("bytes", "kind", "Bytes: of port forwards by direction, and of tunnels as on the wire."),
    "forward": Family("port_forwards_begun", "transport", "Port forwards opened."),
    "refused": Family("port_forwards_refused", "reason", "Port forwards refused by a rule or a limit."),
    "dialed": Family("dials", "family", "Connections to destinations that were made."),
    "dialed_ms": Family("dials_seconds", "family", "Time that those took.", _MILLISECOND),
    "dial_failed": Family("dials_failed", "family", "Connections to destinations that were not."),
    "dial_failed_ms": Family("dials_failed_seconds", "family", "Time that those took.", _MILLISECOND),
    "dns": Family("names_asked", "outcome", "Look-ups: answered, failed, or known already (cached)."),
    "dns_ms": Family("names_asked_seconds", "outcome", "Time that those took.", _MILLISECOND),
    "blocklist": Family("blocklist_hits", "list", "Destinations found on a block list, by source/subject."),
    "authorization": Family("authorizations", "outcome", "What clients' authorizations were found to be."),
    "alert": Family("alerts", "reason", "Alerts sent to clients."),
    "discovery": Family("discoveries", "outcome", "Clients that were told of another server."),
    "event": Family("events", "event", "Lines written to the event log."),
    "event_dropped": Family("events_dropped", "reason", "Lines that could not be."),
    "paused": Family("accept_pauses", "reason", "How often no new connections were accepted for a while."),
    "lost": Family("workers_lost", "reason", "Worker processes that ended without having been asked to."),
}
"""All of them, by name."""
