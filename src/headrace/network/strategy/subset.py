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
from heapq import nsmallest

from headrace.discovery.extract import extract
from headrace.discovery.servers import DiscoveryServer
from headrace.network.model import PropagationChannel, Server
from headrace.network.strategy.roles import Role, in_osl, roles

__all__ = ["as_told", "discovery_servers", "embedded_servers", "list_servers", "osl_servers"]


def embedded_servers(
    channel: PropagationChannel, servers: Iterable[Server], sample_key: bytes, count: int
) -> list[Server]:
    """Return what is in a bundle: the channel's permanent servers, and `count` of all others'.

    Servers stay in their order, here and below.
    """
    known = [server for server in servers if server.is_permanent and server.published]
    chosen = set(_sample(channel, known, sample_key, count))
    return [server for server in known if server.channel_id == channel.id or server in chosen]


def list_servers(
    channel: PropagationChannel, servers: Iterable[Server], sample_key: bytes, count: int
) -> list[Server]:
    """Return what is in the channel's remote list: what is in a bundle, and its propagation servers."""
    known = [server for server in servers if (server.is_permanent or server.is_embedded) and server.published]
    chosen = set(_sample(channel, known, sample_key, count))
    return [
        server
        for server in known
        if server in chosen
        or (
            server.channel_id == channel.id
            and not roles(server).isdisjoint((Role.PERMANENT, Role.PROPAGATION))
        )
    ]


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


def _sample(
    channel: PropagationChannel, servers: Iterable[Server], sample_key: bytes, count: int
) -> list[Server]:
    begun = hmac.new(sample_key, channel.public_id.encode(), "sha256")

    def score(server: Server) -> bytes:
        whole = begun.copy()
        whole.update(server.tag.encode())
        return whole.digest()

    others = (server for server in servers if server.is_permanent and server.channel_id != channel.id)
    return nsmallest(count, others, key=score)
