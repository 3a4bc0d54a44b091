"""Who can learn of one server, by which route, and from when to when: as lists and extracts are made."""

import enum
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from headrace.network.model import PropagationChannel, Server, Status
from headrace.network.strategy.roles import Role, roles
from headrace.network.strategy.subset import Lists

__all__ = ["Exposure", "Route", "explain"]


class Route(enum.StrEnum):
    """The way by which a server becomes known."""

    NONE = "none"  #: it is not published
    BUNDLE = "bundle"
    LIST = "list"
    DISCOVERY = "discovery"
    HOSTS = "hosts"  #: the other servers' hosts, which tell of it
    OSL = "osl"
    KNOWN = "known"  #: entries that are with users already


@dataclass(frozen=True, slots=True)
class Exposure:
    """One way. `channel` is the name of the channel whose users are meant, "" for all of them.

    `since` is the earliest time that is possible. Without `until` it lasts as long as nobody changes it.
    """

    route: Route
    channel: str
    who: str
    since: datetime | None
    until: datetime | None = None

    def open_at(self, now: datetime) -> bool:
        """Say whether somebody can learn of the server that way now."""
        return (self.since is None or self.since <= now) and (self.until is None or now < self.until)


def explain(
    server: Server,
    channels: Sequence[PropagationChannel],
    servers: Iterable[Server],
    *,
    sample_key: bytes,
    embedded_sample: int,
    list_sample: int,
    horizon: timedelta,
) -> list[Exposure]:
    """Return all ways by which somebody can learn of `server`, one of the network's `servers`.

    The samples' sizes and the horizon are those of the network's settings.
    """
    known = Exposure(Route.KNOWN, "", "whoever has its entry, and whom they give it to", server.created_at)
    if not server.published:
        return [Exposure(Route.NONE, "", f"nobody who does not know it: {_reason(server)}", None), known]
    found = list(_listed(server, channels, Lists(servers, sample_key), embedded_sample, list_sample))
    found += _ranged(server, horizon)
    return [*found, known]


def _listed(
    server: Server,
    channels: Sequence[PropagationChannel],
    lists: Lists,
    embedded_sample: int,
    list_sample: int,
) -> Iterator[Exposure]:
    if roles(server).isdisjoint((Role.PERMANENT, Role.PROPAGATION)):
        return
    for channel in channels:
        why = "" if channel.id == server.channel_id else ", in a sample"
        if server in lists.embedded(channel, embedded_sample):
            yield Exposure(Route.BUNDLE, channel.name, f"whoever gets a bundle{why}", server.created_at)
        if server in lists.listed(channel, list_sample):
            yield Exposure(Route.LIST, channel.name, f"whoever fetches the list{why}", server.created_at)


def _ranged(server: Server, horizon: timedelta) -> Iterator[Exposure]:
    start, end = server.discovery_start, server.discovery_end
    if start is not None and end is not None:
        given = max(start - horizon, server.created_at)
        yield Exposure(Route.HOSTS, "", "whoever seizes a host of its pool", given, end)
        yield Exposure(Route.DISCOVERY, "", "whoever connects and is told of it", start, end)
    if Role.OSL in roles(server):
        count = len(server.osl_ids)
        who = f"whoever has earned the key of {'its list' if count == 1 else f'one of its {count} lists'}"
        yield Exposure(Route.OSL, server.channel.name, who, server.osl_start, server.osl_end)


def _reason(server: Server) -> str:
    """Return why a server is not published."""
    if server.status != Status.ACTIVE:
        return f"the server is {server.status}"
    if server.host.status != Status.ACTIVE:
        return f"its host is {server.host.status}"
    return "no client has gone through it yet"
