"""Roles of servers: by what they reach users. They follow from what is set (operations spec §1.4)."""

import enum
from datetime import UTC, datetime, timedelta
from typing import Final

from headrace.network.model import Server

__all__ = [
    "DISCOVERY_TIME",
    "OSL_TIME",
    "Role",
    "discoverable",
    "discovery_range",
    "in_osl",
    "osl_range",
    "roles",
]

#: How long new servers are told of, unless said otherwise.
DISCOVERY_TIME: Final = timedelta(days=7)
OSL_TIME: Final = timedelta(days=15)


class Role(enum.StrEnum):
    """What a server is for."""

    PERMANENT = "permanent"  #: in bundles and lists of its channel, and in samples for all others
    PROPAGATION = "propagation"  #: in the lists of its channel
    DISCOVERY = "discovery"  #: told of by other servers while its range is open
    OSL = "osl"  #: in obfuscated lists while its range is open
    RETAINED = "retained"  #: for those who know it already


def roles(server: Server) -> frozenset[Role]:
    """Return the roles of a server, of which there is at least one, whether their time is now or not."""
    has_discovery, has_osl = server.discovery_start is not None, server.osl_start is not None
    found = {
        Role.PERMANENT: server.is_permanent,
        Role.PROPAGATION: server.is_embedded and not has_discovery and not has_osl,
        Role.DISCOVERY: has_discovery,
        Role.OSL: has_osl and server.osl_ids,
    }
    return frozenset(role for role, holds in found.items() if holds) or frozenset({Role.RETAINED})


def discoverable(server: Server, now: datetime) -> bool:
    """Say whether the server's range for discovery is open; its end is no part of it."""
    return _open(server.discovery_start, server.discovery_end, now)


def in_osl(server: Server, now: datetime) -> bool:
    """Say whether the server is in obfuscated lists now: it has some, and its range is open."""
    return bool(server.osl_ids) and _open(server.osl_start, server.osl_end, now)


def discovery_range(now: datetime) -> tuple[datetime, datetime]:
    """Return the range of a new discovery server: from the next midnight on."""
    start = _midnight(now) + timedelta(days=1)
    return start, start + DISCOVERY_TIME


def osl_range(now: datetime) -> tuple[datetime, datetime]:
    """Return the range of a new server for obfuscated lists: from this day's beginning on."""
    start = _midnight(now)
    return start, start + OSL_TIME


def _open(start: datetime | None, end: datetime | None, now: datetime) -> bool:
    return start is not None and end is not None and start <= now < end


def _midnight(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
