"""How much went where, told of all clients of a kind together: `domain_dest_bytes` and `asn_dest_bytes`.

A destination is a label that the operator chose: a domain that the sponsor's rules name, or a network (AS)
that the configuration does. Nothing else of where clients go is counted.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from headrace.documents.psinet import platform_family
from headrace.server.geoip import Place
from headrace.server.stats.event_log import EventLog

__all__ = ["DestinationBytes"]

#: Most kinds of which bytes are kept at once; they are written out when there are so many.
MAX_KINDS: Final = 100_000


class _Kind(NamedTuple):
    """Whose bytes are counted together."""

    event: str
    label: str  # the field that names the destination
    destination: str
    region: str
    asn: str
    sponsor_id: str
    platform: str
    device_region: str


class DestinationBytes:
    """Counts, until `flush` writes the events and begins anew."""

    def __init__(self, events: EventLog) -> None:
        self._events = events
        self._bytes: dict[_Kind, tuple[int, int]] = {}  # TCP, UDP

    def add_domain(self, domain: str, place: Place, parameters: Mapping[str, object], count: int) -> None:
        """Count what a client reports for a label that its sponsor's rules gave it."""
        self._add("domain_dest_bytes", "domain", domain, place, parameters, count, 0)

    def add_asn(self, asn: str, place: Place, parameters: Mapping[str, object], tcp: int, udp: int) -> None:
        """Count what a tunnel of a client carried to and from a network."""
        self._add("asn_dest_bytes", "asn", asn, place, parameters, tcp, udp)

    def _add(
        self,
        event: str,
        label: str,
        destination: str,
        place: Place,
        parameters: Mapping[str, object],
        tcp: int,
        udp: int,
    ) -> None:
        if tcp <= 0 and udp <= 0:
            return
        said = [str(parameters.get(name, "")) for name in ("sponsor_id", "client_platform", "device_region")]
        kind = _Kind(
            event, label, destination, place.country, place.asn, said[0], platform_family(said[1]), said[2]
        )
        if kind not in self._bytes and len(self._bytes) >= MAX_KINDS:
            self.flush()
        before = self._bytes.get(kind, (0, 0))
        self._bytes[kind] = before[0] + tcp, before[1] + udp

    def flush(self) -> None:
        """Write an event for each kind there was something of."""
        counted, self._bytes = self._bytes, {}
        for kind, (tcp, udp) in counted.items():
            self._events.write(
                kind.event,
                {
                    kind.label: kind.destination,
                    "client_region": kind.region,
                    "client_asn": kind.asn,
                    "sponsor_id": kind.sponsor_id,
                    "client_platform": kind.platform,
                    "device_region": kind.device_region,
                    "bytes_tcp": tcp,
                    "bytes_udp": udp,
                    "bytes": tcp + udp,
                },
            )
