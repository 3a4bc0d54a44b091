"""How the published addresses are spread: what many share is lost at once when it is blocked (spec §1.10)."""

import enum
import ipaddress
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from headrace.network.model import Server

__all__ = ["LIMITS", "Concentration", "Dimension", "Diversity", "Group", "Spread", "diversity"]


class Dimension(enum.StrEnum):
    """What addresses may have in common."""

    PROVIDER = "provider"
    AUTONOMOUS_SYSTEM = "autonomous system"
    WIDE_NETWORK = "wide network"  #: /16, of IPv6 /32
    NETWORK = "network"  #: /24, of IPv6 /48
    REGION = "region"
    PORT = "port"
    CAPABILITY = "capability"
    AGE = "age"


#: The most that one of a kind may hold before there is a warning; of capabilities and ages there is none.
LIMITS: Final[Mapping[Dimension, float]] = MappingProxyType(
    {
        Dimension.PROVIDER: 0.4,
        Dimension.AUTONOMOUS_SYSTEM: 0.4,
        Dimension.WIDE_NETWORK: 0.2,
        Dimension.NETWORK: 0.1,
        Dimension.REGION: 0.5,
        Dimension.PORT: 0.3,
    }
)

#: Bits of an address, by IP version.
_WIDE: Final = {4: 16, 6: 32}
_NARROW: Final = {4: 24, 6: 48}

_AGES: Final = (
    (timedelta(days=7), "up to a week"),
    (timedelta(days=30), "up to a month"),
    (timedelta(days=90), "up to three months"),
    (timedelta(days=365), "up to a year"),
)
_OLDER: Final = "older"
_UNKNOWN: Final = "unknown"

_PORTS: Final = (
    "ssh_port",
    "quic_port",
    "tls_port",
    "shadowsocks_port",
    "tapdance_port",
    "conjure_port",
    "inproxy_ssh_port",
    "inproxy_ossh_port",
    "inproxy_quic_port",
)


@dataclass(frozen=True, slots=True)
class Group:
    """Addresses with something in common; `share` is that of all, from 0 to 1."""

    name: str
    addresses: int
    share: float


@dataclass(frozen=True, slots=True)
class Spread:
    """A number of addresses, and how they are grouped, the largest group first."""

    addresses: int
    groups: Mapping[Dimension, tuple[Group, ...]]


@dataclass(frozen=True, slots=True)
class Concentration:
    """A warning: one group holds too much of a channel's list, or of the network (then `channel` is "")."""

    channel: str
    dimension: Dimension
    group: Group
    limit: float

    def __str__(self) -> str:
        of = f"the list of {self.channel}" if self.channel else "the network"
        return (
            f"{self.group.addresses} addresses, {self.group.share:.0%} of {of},"
            f" have the {self.dimension} {self.group.name}: the limit is {self.limit:.0%}"
        )


@dataclass(frozen=True, slots=True)
class Diversity:
    """The whole network, each channel's list by the channel's name, and what there is too much of."""

    network: Spread
    lists: Mapping[str, Spread]
    warnings: tuple[Concentration, ...]


def diversity(
    servers: Iterable[Server],
    now: datetime,
    *,
    lists: Mapping[str, Iterable[Server]] = MappingProxyType({}),
    limits: Mapping[Dimension, float] = LIMITS,
    autonomous_system: Callable[[str], str] | None = None,
) -> Diversity:
    """Return how published servers are spread, and those of each list, by channel.

    `autonomous_system` says to which number an address belongs, "" if it cannot; without it that is left out.
    A server has several ports and capabilities, so these shares add up to more than 1. There is no warning
    about a single address.
    """
    network = _spread(servers, now, autonomous_system)
    spreads = {channel: _spread(those, now, autonomous_system) for channel, those in lists.items()}
    warnings = [
        Concentration(channel, dimension, group, limits[dimension])
        for channel, spread in (("", network), *spreads.items())
        for dimension, groups in spread.groups.items()
        if dimension in limits
        for group in groups
        if group.addresses > 1 and group.share > limits[dimension]
    ]
    return Diversity(network, spreads, tuple(warnings))


def _spread(servers: Iterable[Server], now: datetime, lookup: Callable[[str], str] | None) -> Spread:
    published = [server for server in servers if server.published and server.address]
    total = len({server.address for server in published})
    found: dict[Dimension, dict[str, set[str]]] = {
        dimension: defaultdict(set)
        for dimension in Dimension
        if lookup or dimension != Dimension.AUTONOMOUS_SYSTEM
    }
    for server in published:
        for dimension, name in _names(server, now):
            found[dimension][name].add(server.address)
        if lookup:
            found[Dimension.AUTONOMOUS_SYSTEM][lookup(server.address) or _UNKNOWN].add(server.address)
    groups = {
        dimension: tuple(
            Group(name, len(addresses), len(addresses) / total)
            for name, addresses in sorted(named.items(), key=lambda item: (-len(item[1]), item[0]))
        )
        for dimension, named in found.items()
    }
    return Spread(total, groups)


def _names(server: Server, now: datetime) -> Iterator[tuple[Dimension, str]]:
    """Yield all groups that a server is in, but for the autonomous system."""
    address = ipaddress.ip_address(server.address)
    yield Dimension.PROVIDER, server.host.provider.name
    yield Dimension.WIDE_NETWORK, _network(address, _WIDE)
    yield Dimension.NETWORK, _network(address, _NARROW)
    yield Dimension.REGION, server.host.region or _UNKNOWN
    for port in {
        server.host.meek_port,
        *(server.ossh_ports or ()),
        *(getattr(server, name) for name in _PORTS),
    }:
        if port:
            yield Dimension.PORT, str(port)
    for capability in server.capabilities:
        yield Dimension.CAPABILITY, capability
    age = now - server.created_at
    yield Dimension.AGE, next((name for limit, name in _AGES if age <= limit), _OLDER)


def _network(address: ipaddress.IPv4Address | ipaddress.IPv6Address, prefixes: Mapping[int, int]) -> str:
    return str(ipaddress.ip_network((address, prefixes[address.version]), strict=False))
