"""What a worker counts of its sessions, and tells of them as events."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from headrace.documents.blocklist import Reason
from headrace.documents.server_config import ServerConfig
from headrace.server.stats.loop_lag import LoopLag
from headrace.server.stats.request_fields import BASE, place_fields, request_fields
from headrace.server.stats.snapshot import Histogram
from headrace.server.stats.strangers import Strangers, reason_name
from headrace.server.stats.tunnel_record import Carried, TunnelRecord

if TYPE_CHECKING:
    from headrace.server.session import Session
    from headrace.server.shared import Shared

__all__ = ["WorkerStats", "entry_fields"]

#: Hits on block lists that are told of one tunnel; they are counted, all of them.
MAX_HITS: Final = 1024


class WorkerStats:
    """Of one worker. Sessions tell it how they fare; `counts` is where it counts."""

    def __init__(self, shared: "Shared", counts: Counter[str]) -> None:
        self.counts = counts
        self.lag = LoopLag()
        self.handshakes = Histogram()
        self.carried = Carried()  #: by tunnels that have ended
        self._events = shared.events
        self._destinations = shared.destinations
        self._clock = shared.clock
        self._ports = shared.config.tunnel_protocol_ports
        self._asns = frozenset(shared.config.destination_bytes_asns)
        self._entry = entry_fields(shared.config)
        self._strangers = Strangers(shared.events, shared.config.irregular_tunnels_per_minute, self._entry)

    def accepted(self, session: "Session") -> None:
        """There is a connection."""
        self.counts[f"accepted.{session.protocol_name}"] += 1

    def refused(self, session: "Session", reason: str) -> None:
        """Its peer is no client."""
        self.counts[f"stranger.{reason_name(reason)}"] += 1
        port = self._ports.get(session.protocol_name, 0)
        place = session.origin.place
        self._strangers.tell(session.protocol_name, port, reason, place, self._clock.time())

    def begun(self, session: "Session", duration: float, *, first: bool) -> TunnelRecord:
        """It is a tunnel, after `duration` seconds, and its client's first one or not."""
        self.counts[f"tunnel.{session.protocol_name}"] += 1
        self.handshakes.observe(duration)
        record = TunnelRecord(secrets.token_hex(16), self._clock.time(), is_first=first)
        if self._asns:
            record.watch(self._asns, session.asn_of)
        return record

    def failed(self, reason: str) -> None:
        """A connection ended before its peer had logged in, or turned out to be a stranger."""
        self.counts[f"handshake_failed.{reason}"] += 1

    def ended(self, session: "Session", record: TunnelRecord, duration: float) -> None:
        """A tunnel has ended, after `duration` seconds."""
        socket, place, said = session.socket, session.origin.place, session.parameters
        self.carried.add(record, socket.bytes_in, socket.bytes_out)
        for destination, tcp, udp in record.destinations():
            self._destinations.add_asn(destination, place, said, tcp, udp)
        access = session.access_types
        self._events.write(
            "server_tunnel",
            {
                **request_fields(said),
                **place_fields(place),
                **self._entry,
                **({"authorized_access_types": access} if access else {}),
                **_tag_fields(session.tag_checks),
                **record.fields(duration, socket.bytes_in + socket.bytes_out, handshaken=bool(said)),
                "relay_protocol": session.protocol_name,
            },
        )

    def listed(self, session: "Session", reason: Reason) -> None:
        """A destination is on a block list; which one it is nobody is told."""
        self.counts[f"blocklist.{reason.source}/{reason.subject}"] += 1
        if session.record is None or session.record.listed >= MAX_HITS:
            return
        session.record.listed += 1
        self._events.write(
            "server_blocklist_hit",
            {
                **request_fields(session.parameters, BASE),
                **place_fields(session.origin.place),
                "blocklist_source": reason.source,
                "blocklist_subject": reason.subject,
            },
        )

    async def flush(self, period: float) -> None:
        """Write each `period` seconds how much went where, without an end."""
        while True:
            await asyncio.sleep(period)
            self._destinations.flush()


def _tag_fields(checks: Mapping[str, int]) -> dict[str, object]:
    """Return how many servers the client asked about, if it did."""
    names = {"requests": "request_check", "checked": "checked", "invalid": "invalid"}
    return {f"{name}_server_entry_tags": checks[key] for key, name in names.items()} if checks else {}


def entry_fields(config: ServerConfig) -> dict[str, object]:
    """Return the tag of the server's entry, if it has one: which entry led a client here is not known."""
    tags = list(config.own_encoded_server_entries)
    return {"server_entry_tag": tags[0]} if len(tags) == 1 else {}
