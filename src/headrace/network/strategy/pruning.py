"""Servers whose time is long over, and what to do with each by who still uses it (operations spec §1.7)."""

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from headrace.network.model import PropagationChannel, Server, Status
from headrace.network.strategy.roles import Role, roles

__all__ = ["DRAIN_BELOW", "REMOVE_AT_MOST", "Action", "Pruned", "prune"]

#: Users: up to so many have to look for another server, below so many nobody new comes.
REMOVE_AT_MOST: Final = 10
DRAIN_BELOW: Final = 35


class Action(enum.StrEnum):
    """What is done with a server that is past its time."""

    REMOVE = "remove"
    DRAIN = "drain"
    KEEP = "keep"  #: too many use it, or it drains already
    REPORT = "report"  #: nobody knows how many use it; it is not removed for that


@dataclass(frozen=True, slots=True)
class Pruned:
    """A server past its time. `since` is when its time was over; connected is None if that is not known."""

    server: Server
    roles: frozenset[Role]
    since: datetime
    connected: int | None
    action: Action


def prune(
    channel: PropagationChannel,
    servers: Iterable[Server],
    now: datetime,
    connected: Mapping[UUID, int | None],
) -> list[Pruned]:
    """Return the channel's servers that are past the age it allows for their roles, the oldest first.

    `connected` is how many users each has, by the server's id; None, or no such id: it could not be asked. A
    permanent server is never past its time, nor is one whose role has the age 0; one with two
    roles is when the last of them is over.
    """
    found = []
    for server in servers:
        if server.channel_id != channel.id or server.status not in (Status.ACTIVE, Status.DRAINING):
            continue
        over = _over(channel, server)
        if over is not None and over < now:
            count = connected.get(server.id)
            found.append(Pruned(server, roles(server), over, count, _action(server, count)))
    return sorted(found, key=lambda pruned: pruned.since)


def _over(channel: PropagationChannel, server: Server) -> datetime | None:
    """Return when all that a server is for is over, and as old as is allowed; None if that is never."""
    times = list(_times(channel, server))
    if any(days == 0 for _, days in times):
        return None
    return max((ended + timedelta(days=days) for ended, days in times), default=None)


def _times(channel: PropagationChannel, server: Server) -> Iterator[tuple[datetime, int]]:
    """Yield for each role when it was over and the days that are allowed after that; none if it stays."""
    found = roles(server)
    if Role.PERMANENT in found:
        return
    if server.discovery_end is not None:
        yield server.discovery_end, channel.max_discovery_age
    if Role.OSL in found and server.osl_end is not None:
        yield server.osl_end, channel.max_osl_age
    if not found.isdisjoint((Role.PROPAGATION, Role.RETAINED)):
        # Retained are those, too, which newer propagation servers have taken the place of.
        yield server.created_at, channel.max_propagation_age


def _action(server: Server, connected: int | None) -> Action:
    if connected is None:
        return Action.REPORT
    if connected <= REMOVE_AT_MOST:
        return Action.REMOVE
    if connected < DRAIN_BELOW and server.status != Status.DRAINING:
        return Action.DRAIN
    return Action.KEEP
