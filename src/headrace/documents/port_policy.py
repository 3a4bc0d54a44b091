"""Which destinations a client may reach: ports, subnets and autonomous systems (psiphond's traffic rules)."""

import ipaddress
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["NO_PORTS", "Address", "Network", "PortPolicy", "PortSet", "parse_networks", "parse_ports"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_MAX_PORT = 0xFFFF


class PortSet:
    """Ports, looked up by bisection over disjoint ranges."""

    __slots__ = ("_highs", "_lows")

    def __init__(self, ranges: Sequence[tuple[int, int]] = ()) -> None:
        lows: list[int] = []
        highs: list[int] = []
        for low, high in sorted(ranges):
            if highs and low <= highs[-1] + 1:
                highs[-1] = max(high, highs[-1])
            else:
                lows.append(low)
                highs.append(high)
        self._lows, self._highs = tuple(lows), tuple(highs)

    def __contains__(self, port: int) -> bool:
        index = bisect_right(self._lows, port) - 1
        return index >= 0 and port <= self._highs[index]

    def __bool__(self) -> bool:
        return bool(self._lows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PortSet) and (self._lows, self._highs) == (other._lows, other._highs)

    def __hash__(self) -> int:
        return hash((self._lows, self._highs))

    def __repr__(self) -> str:
        return f"PortSet({list(zip(self._lows, self._highs, strict=True))})"


NO_PORTS = PortSet()


@dataclass(frozen=True, slots=True, kw_only=True)
class PortPolicy:
    """Rules for one kind of port forward. Empty allowed ports allow every port."""

    allowed_ports: PortSet = NO_PORTS
    disallowed_ports: PortSet = NO_PORTS
    allowed_networks: tuple[Network, ...] = ()
    disallowed_networks: tuple[Network, ...] = ()
    allowed_asns: frozenset[str] = frozenset()
    disallowed_asns: frozenset[str] = frozenset()

    @property
    def asks_asn(self) -> bool:
        """Whether `allows` makes use of the autonomous system."""
        return bool(self.allowed_asns or self.disallowed_asns)

    def allows(self, address: Address, port: int, asn: str = "") -> bool:
        """True when the resolved `address`, of autonomous system `asn` if known, may be reached at `port`.

        What is disallowed stays so; allowed networks and systems open ports that are not on the list.
        """
        if _within(address, self.disallowed_networks) or asn in self.disallowed_asns:
            return False
        if port in self.disallowed_ports:
            return False
        if not self.allowed_ports or port in self.allowed_ports:
            return True
        return _within(address, self.allowed_networks) or asn in self.allowed_asns


def parse_ports(items: Sequence[int | list[int]]) -> PortSet:
    """Return the ports of `[80, 443, [1000, 2000]]`. Raises ValueError."""
    ranges = []
    for item in items:
        low_high = [item, item] if isinstance(item, int) else item
        if len(low_high) != 2 or not 0 < low_high[0] <= low_high[1] <= _MAX_PORT:
            raise ValueError(f"{item} is neither a port nor a range: write for instance 80 or [1000, 2000]")
        ranges.append((low_high[0], low_high[1]))
    return PortSet(ranges)


def parse_networks(items: Sequence[str]) -> tuple[Network, ...]:
    """Return the networks of a list in CIDR notation; host bits may be set. Raises ValueError."""
    networks = []
    for item in items:
        try:
            if "/" not in item:
                raise ValueError
            networks.append(ipaddress.ip_network(item, strict=False))
        except ValueError:
            raise ValueError(f"{item} is no subnet: write for instance 10.0.0.0/8") from None
    return tuple(networks)


def _within(address: Address, networks: tuple[Network, ...]) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in networks)
