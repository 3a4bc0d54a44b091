"""Which servers are in whose list (operations spec §1.10).

A bundle or list has all permanent servers of its channel and a sample of all others'. The sample is those
servers which score lowest for the channel:

    score = HMAC-SHA256(sample key, public id of the channel | tag of the server)

So it is no other one whenever a list is made, from which somebody could learn more and more; of a server that
goes one other takes the place; and without the key nobody can tell what is in another channel's sample.
"""

import hmac
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from headrace.discovery.extract import extract
from headrace.discovery.servers import DiscoveryServer
from headrace.network.model import PropagationChannel, Server
from headrace.network.strategy.roles import Role, in_osl, roles

__all__ = ["Lists", "as_told", "discovery_servers", "embedded_servers", "list_servers", "osl_servers"]


class Lists:
    """The lists of a network as it is at one moment: quick to make for many channels.

    Servers stay in their order in all that is returned, here and below.
    """

    def __init__(self, servers: Iterable[Server], sample_key: bytes) -> None:
        self._servers = [
            server for server in servers if (server.is_permanent or server.is_embedded) and server.published
        ]
        self._begun = hmac.new(sample_key, digestmod="sha256")
        self._permanent: list[tuple[int, UUID, bytes]] = []
        self._propagation: list[tuple[int, UUID]] = []
        for place, server in enumerate(self._servers):
            if server.is_permanent:
                self._permanent.append((place, server.channel_id, server.tag.encode()))
            elif Role.PROPAGATION in roles(server):
                self._propagation.append((place, server.channel_id))
        self._ranks: dict[UUID, list[int]] = {}

    def embedded(self, channel: PropagationChannel, count: int) -> list[Server]:
        """Return what is in a bundle: the channel's permanent servers, and `count` of all others'."""
        return self._at(self._places(channel, count))

    def listed(self, channel: PropagationChannel, count: int) -> list[Server]:
        """Return what is in a remote list: what is in a bundle, and the channel's propagation servers."""
        propagation = [place for place, owner in self._propagation if owner == channel.id]
        return self._at(self._places(channel, count) + propagation)

    def _places(self, channel: PropagationChannel, count: int) -> list[int]:
        own = [place for place, owner, _ in self._permanent if owner == channel.id]
        return own + self._ranked(channel)[:count]

    def _ranked(self, channel: PropagationChannel) -> list[int]:
        """Return the places of the other channels' permanent servers, the lowest score first."""
        if channel.id not in self._ranks:
            begun = self._begun.copy()
            begun.update(channel.public_id.encode())
            scores = []
            for place, owner, tag in self._permanent:
                if owner != channel.id:
                    score = begun.copy()
                    score.update(tag)
                    scores.append((score.digest(), place))
            self._ranks[channel.id] = [place for _, place in sorted(scores)]
        return self._ranks[channel.id]

    def _at(self, places: Iterable[int]) -> list[Server]:
        return [self._servers[place] for place in sorted(places)]


def embedded_servers(
    channel: PropagationChannel, servers: Iterable[Server], sample_key: bytes, count: int
) -> list[Server]:
    """Return what is in a bundle of one channel, as Lists has it."""
    return Lists(servers, sample_key).embedded(channel, count)


def list_servers(
    channel: PropagationChannel, servers: Iterable[Server], sample_key: bytes, count: int
) -> list[Server]:
    """Return what is in the remote list of one channel, as Lists has it."""
    return Lists(servers, sample_key).listed(channel, count)


def discovery_servers(
    servers: Iterable[Server], now: datetime, horizon: timedelta, *, host: str = "", pools: int = 1
) -> list[Server]:
    """Return what a host is given to tell of: what is open, or will be within the horizon.

    `host` is the host's name: with more than one pool it is given its own pool only.
    """
    moment, ahead = now.timestamp(), horizon.total_seconds()
    return [
        server
        for server in servers
        if server.discovery_start is not None
        and server.published
        and extract(as_told([server]), moment, host=host, pools=pools, horizon=ahead)
    ]


def as_told(servers: Iterable[Server]) -> Sequence[DiscoveryServer]:
    """Return what discovery knows of those servers that have a range for it; entries are left out."""
    return [
        DiscoveryServer(
            server.discovery_start.timestamp(), server.discovery_end.timestamp(), server.address, ""
        )
        for server in servers
        if server.discovery_start is not None and server.discovery_end is not None
    ]


def osl_servers(osl_ids: Collection[str], servers: Iterable[Server], now: datetime) -> list[Server]:
    """Return the servers that are in one of these obfuscated lists now."""
    wanted = frozenset(osl_ids)
    return [
        server
        for server in servers
        if in_osl(server, now) and server.published and not wanted.isdisjoint(server.osl_ids)
    ]
