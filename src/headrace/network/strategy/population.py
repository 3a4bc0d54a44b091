"""A network that does not exist, to try out what one of its size gives away."""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from headrace.base.rng import Rng
from headrace.network.model import Host, PropagationChannel, Server, Status
from headrace.network.strategy.roles import DISCOVERY_TIME, OSL_TIME, discovery_range, osl_range

__all__ = ["Population", "make_population"]

_FIRST_ADDRESS: Final = int(ipaddress.IPv4Address("10.0.0.0"))


@dataclass(frozen=True, slots=True)
class Population:
    """How large: channels, and for each of them the servers of each role.

    Of those with a range so many are open at any time, and as they go others come.
    """

    channels: int
    permanent: int
    propagation: int
    discovery: int
    osl: int
    osl_lists: int = 4  #: among which a channel's servers are dealt out
    waves: int = 1  #: days, one after the other, on which ranges begin; 1: all begin together


def make_population(
    population: Population, now: datetime, days: int, rng: Rng
) -> tuple[list[PropagationChannel], list[Server]]:
    """Return channels and published servers for the days from now on. They belong to no database."""
    host = Host(status=Status.ACTIVE, name="host", region="ZZ", created_at=now)
    channels = [
        PropagationChannel(id=UUID(int=number), public_id=f"{number:016X}", name=f"channel {number}")
        for number in range(population.channels)
    ]
    fields = [(channel, each) for channel in channels for each in _servers(population, now, days, rng)]
    # Shuffled, so that a server's place and address say nothing of its channel and its range.
    servers = [
        Server(
            id=UUID(int=number),
            status=Status.ACTIVE,
            host=host,
            channel=channel,
            channel_id=channel.id,
            created_at=now,
            tested_at=now,
            address=str(ipaddress.IPv4Address(_FIRST_ADDRESS + number)),
            tag=rng.bytes(16).hex(),
            **each,
        )
        for number, (channel, each) in enumerate(rng.shuffled(fields))
    ]
    return channels, servers


def _servers(population: Population, now: datetime, days: int, rng: Rng) -> Iterator[dict[str, Any]]:
    plain: dict[str, Any] = {"is_permanent": False, "is_embedded": False, "osl_ids": []}
    yield from ({**plain, "is_permanent": True} for _ in range(population.permanent))
    yield from ({**plain, "is_embedded": True} for _ in range(population.propagation))
    first, _ = discovery_range(now - timedelta(days=1))
    for start, end in _ranges(first, population.discovery, DISCOVERY_TIME, days, population.waves, rng):
        yield {**plain, "discovery_start": start, "discovery_end": end}
    lists = [rng.bytes(16).hex() for _ in range(population.osl_lists)]
    first, _ = osl_range(now)
    for start, end in _ranges(first, population.osl, OSL_TIME, days, population.waves, rng):
        yield {**plain, "osl_start": start, "osl_end": end, "osl_ids": [rng.choice(lists)]}


def _ranges(
    first: datetime, count: int, length: timedelta, days: int, waves: int, rng: Rng
) -> Iterator[tuple[datetime, datetime]]:
    """Yield ranges of which `count` are open at any time: each is followed by another's."""
    over = first + timedelta(days=days + 1)
    for _ in range(count):
        start = first - timedelta(days=rng.between(0, min(waves, length.days) - 1))
        while start < over:
            yield start, start + length
            start += length
