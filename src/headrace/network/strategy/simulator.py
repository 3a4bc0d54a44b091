"""What somebody learns of the network who gets hold of its bundles and lists, and connects for days.

Four sources are looked at, each by the very rules that are used to publish:

    bundle      embedded servers of the channels that the adversary has a bundle of
    list        remote lists of these channels, as they are now
    discovery   what `addresses` clients are told of if each asks every hour, whenever that changes anything
    osl         obfuscated lists of these channels of which the adversary has earned the key

What people pass on to each other is not looked at, nor are hosts that are seized. A share is one of all
servers of a role that users are told of at some time within the days.

Few servers for discovery are all learned by many addresses, whatever the strategy: of n that are open at
once, k addresses are told of about n(1 - exp(-k/n)), and by `consistent` of others with every range that
begins or ends. By `classic` some hundred addresses have all buckets, and in a week all of each.
"""

import enum
import ipaddress
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final
from uuid import UUID

from headrace.base.rng import Rng
from headrace.discovery.classic import Classic, discovery_value
from headrace.discovery.exposure import learned
from headrace.discovery.servers import DiscoveryServer
from headrace.discovery.strategy import Address, Strategy
from headrace.network.model import PropagationChannel, Server
from headrace.network.strategy.roles import Role, roles
from headrace.network.strategy.subset import Lists, as_told

__all__ = ["Adversary", "Share", "Simulation", "Source", "simulate"]

_HOUR: Final = 3600  # seconds


class Source(enum.StrEnum):
    """Where an adversary learns of servers."""

    BUNDLE = "bundle"
    LIST = "list"
    DISCOVERY = "discovery"
    OSL = "osl"


@dataclass(frozen=True, slots=True)
class Adversary:
    """What somebody has: client addresses, time, bundles of some channels, and keys earned there."""

    addresses: int
    days: int
    channels: int = 1
    osl_share: float = 1.0  #: of the obfuscated lists of these channels, those whose key is earned


@dataclass(frozen=True, slots=True)
class Share:
    """How many of the servers of a role are learned from one source; with none, from all of them together."""

    role: Role
    source: Source | None
    learned: int
    total: int

    @property
    def share(self) -> float:
        """From 0 to 1; of no servers, nothing is learned."""
        return self.learned / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True)
class Simulation:
    """The shares of all roles, source by source, and of each role altogether."""

    adversary: Adversary
    shares: tuple[Share, ...]

    def of(self, role: Role, source: Source | None = None) -> Share:
        """Return one share; without a source that of all together."""
        return next(share for share in self.shares if share.role == role and share.source == source)

    def exceeding(self, limits: Mapping[Role, float]) -> list[Share]:
        """Return the roles of which more is learned altogether than the limit that is given for them."""
        return [
            share
            for share in self.shares
            if share.source is None and share.role in limits and share.share > limits[share.role]
        ]


def simulate(
    channels: Sequence[PropagationChannel],
    servers: Iterable[Server],
    adversary: Adversary,
    now: datetime,
    *,
    rng: Rng,
    strategy: Strategy,
    sample_key: bytes,
    embedded_sample: int,
    list_sample: int,
) -> Simulation:
    """Return what the adversary learns from now on, who has drawn channels, addresses and earned keys.

    The network may be the real one, before something is changed, or one from `population`.
    """
    end = now + timedelta(days=adversary.days)
    known = [server for server in servers if server.published]
    lists = Lists(known, sample_key)
    joined = rng.shuffled(channels)[: adversary.channels]
    found: dict[Source, set[Server]] = {source: set() for source in Source}
    for channel in joined:
        found[Source.BUNDLE].update(lists.embedded(channel, embedded_sample))
        found[Source.LIST].update(lists.listed(channel, list_sample))
    found[Source.DISCOVERY] = _discovered(known, adversary, now, end, strategy, rng)
    found[Source.OSL] = _opened(known, {channel.id for channel in joined}, adversary.osl_share, now, end, rng)
    return Simulation(adversary, tuple(_shares(known, found, now, end)))


def _shares(
    known: Sequence[Server], found: Mapping[Source, set[Server]], now: datetime, end: datetime
) -> Iterable[Share]:
    for role in Role:
        if role == Role.RETAINED:
            continue  # nobody is told of these
        there = {server for server in known if role in roles(server) and _told_of(server, role, now, end)}
        for source in Source:
            yield Share(role, source, len(found[source] & there), len(there))
        yield Share(role, None, len(set().union(*found.values()) & there), len(there))


def _told_of(server: Server, role: Role, now: datetime, end: datetime) -> bool:
    if role == Role.DISCOVERY:
        return _meets(server.discovery_start, server.discovery_end, now, end)
    if role == Role.OSL:
        return _meets(server.osl_start, server.osl_end, now, end)
    return True


def _meets(start: datetime | None, over: datetime | None, now: datetime, end: datetime) -> bool:
    """Say whether a range is open at some time from now to the end."""
    return start is not None and over is not None and start < end and now < over


def _discovered(
    known: Sequence[Server],
    adversary: Adversary,
    now: datetime,
    end: datetime,
    strategy: Strategy,
    rng: Rng,
) -> set[Server]:
    told = as_told(known)
    addresses = _addresses(rng, adversary.addresses)
    by_hour = isinstance(strategy, Classic)
    if isinstance(strategy, Classic):  # an address is its value here: of those with the same one is enough
        addresses = list({discovery_value(strategy.key, str(each)): each for each in addresses}.values())
    seen: set[str] = set()
    for moment, change in pairwise(_changes(told, now.timestamp(), end.timestamp())):
        open_then = [server for server in told if server.open_at(moment)]
        hours = math.ceil((change - moment) / _HOUR) if by_hour else 1
        seen |= learned(strategy, open_then, addresses, moment, hours)
    return {
        server
        for server in known
        if server.address in seen and _meets(server.discovery_start, server.discovery_end, now, end)
    }


def _changes(told: Iterable[DiscoveryServer], begin: float, over: float) -> list[float]:
    """Return when others can be told of than before, as ranges begin and end, and the beginning and end."""
    times = {time for server in told for time in (server.starts, server.ends) if begin < time < over}
    return [begin, *sorted(times), over]


def _addresses(rng: Rng, count: int) -> list[Address]:
    """Return different IPv4 addresses from all over."""
    drawn: set[int] = set()
    while len(drawn) < count:
        drawn.add(rng.between(1 << 24, (224 << 24) - 1))
    return [ipaddress.IPv4Address(number) for number in sorted(drawn)]


def _opened(
    known: Sequence[Server], joined: Collection[UUID], share: float, now: datetime, end: datetime, rng: Rng
) -> set[Server]:
    listed = [
        server
        for server in known
        if server.channel_id in joined
        and server.osl_ids
        and _meets(server.osl_start, server.osl_end, now, end)
    ]
    lists = sorted({each for server in listed for each in server.osl_ids})
    earned = {each for each in lists if rng.chance(share)}
    return {server for server in listed if not earned.isdisjoint(server.osl_ids)}
