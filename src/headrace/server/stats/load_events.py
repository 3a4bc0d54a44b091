"""`server_load`: how much there is to do, for the server as a whole and for each country.

Counts and durations are those since the event before; what is open, being connected or established is so now.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from headrace.server.stats.snapshot import Snapshot, read_clients

__all__ = ["load_events"]

_ALL: Final = "ALL"
_FAMILIES: Final = ("ipv4", "ipv6")


def load_events(now: Snapshot, before: Snapshot, protocols: Iterable[str]) -> Iterator[dict[str, object]]:
    """Return the fields of each event, the server's first. `protocols` are those there are ports for."""
    since = {name: count - before.counts.get(name, 0) for name, count in now.counts.items()}
    regions = _regions(now, tuple(protocols))
    yield {
        "establish_tunnels": now.accepting > 0,
        "establish_tunnels_limited_count": _sum(since, "rejected."),
        "workers": now.workers,
        "resident_bytes": now.resident_bytes,
        "open_files": now.open_files,
        **_forwards(now, since),
        **_dials(since),
        **_names(since),
        **regions.pop(_ALL),
    }
    for region, fields in sorted(regions.items()):
        yield {"region": region, **fields}


def _regions(now: Snapshot, protocols: tuple[str, ...]) -> dict[str, dict[str, object]]:
    """Return for all countries, and for each one, how many clients there are by protocol."""

    def none() -> dict[str, dict[str, int]]:
        return {name: {"accepted_clients": 0, "established_clients": 0} for name in (_ALL, *protocols)}

    regions: dict[str, dict[str, dict[str, int]]] = defaultdict(none)
    regions[_ALL] = none()
    for field, clients in (("accepted_clients", now.connections), ("established_clients", now.tunnels)):
        for key, count in clients.items():
            protocol, region, _ = read_clients(key)
            for place in (_ALL, region):
                regions[place][_ALL][field] += count
                regions[place].setdefault(protocol, none()[_ALL])[field] += count
    return {region: dict(fields) for region, fields in regions.items()}


def _forwards(now: Snapshot, since: Mapping[str, int]) -> dict[str, object]:
    return {
        "dialing_tcp_port_forwards": now.dialing,
        "tcp_port_forwards": now.tcp_forwards,
        "total_tcp_port_forwards": since.get("forward.tcp", 0),
        "udp_port_forwards": now.udp_forwards,
        "total_udp_port_forwards": since.get("forward.udp", 0),
        "tcp_port_forward_rejected_dialing_limit_count": since.get("refused.dialing_limit", 0),
        "tcp_port_forward_rejected_disallowed_count": since.get("refused.tcp_disallowed", 0),
        "udp_port_forward_rejected_disallowed_count": since.get("refused.udp_disallowed", 0),
    }


def _dials(since: Mapping[str, int]) -> dict[str, object]:
    fields: dict[str, object] = {}
    for outcome, counter in (("dialed", "dialed"), ("failed", "dial_failed")):
        for what, suffix in (("count", ""), ("duration", "_ms")):
            by_family = {family: since.get(f"{counter}{suffix}.{family}", 0) for family in _FAMILIES}
            fields[f"tcp_port_forward_{outcome}_{what}"] = sum(by_family.values())
            for family, value in by_family.items():
                fields[f"tcp_{family}_port_forward_{outcome}_{what}"] = value
    return fields


def _names(since: Mapping[str, int]) -> dict[str, object]:
    counters = {
        "dns_count": "dns.answered",
        "dns_duration": "dns_ms.answered",
        "dns_failed_count": "dns.failed",
        "dns_failed_duration": "dns_ms.failed",
    }
    return {field: {_ALL: since.get(counter, 0)} for field, counter in counters.items()}


def _sum(counts: Mapping[str, int], prefix: str) -> int:
    return sum(count for name, count in counts.items() if name.startswith(prefix))
