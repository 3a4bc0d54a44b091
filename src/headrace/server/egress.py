"""Where the server may connect on a client's behalf: the public Internet, and nothing on its own side.

Without this a client could reach what only the server can: its own services, its neighbours, a cloud's
metadata service. The rule is applied to the address that is then dialled, never to a name, so a name that
resolves to something else the second time gains nothing. Sources: the IANA special-purpose address registries
(RFC 6890) and the transition formats that carry an IPv4 address inside an IPv6 one.
"""

import asyncio
import ipaddress
from bisect import bisect_right
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from headrace.net.addresses import Address, parse_address

__all__ = ["LOOK", "Egress", "follow_own_addresses", "local_addresses", "reached"]

#: Seconds between two looks at which addresses are our own: temporary IPv6 ones come and go.
LOOK: Final = 60.0

_SPECIAL_V4: Final = (
    "0.0.0.0/8",  # this network
    "10.0.0.0/8",  # private
    "100.64.0.0/10",  # shared between a carrier and its customers
    "127.0.0.0/8",  # loopback
    "168.63.129.16/32",  # a cloud's host agent, on an address from the public space
    "169.254.0.0/16",  # link-local, metadata services among them
    "172.16.0.0/12",  # private
    "192.0.0.0/24",  # protocol assignments
    "192.0.2.0/24",  # documentation
    "192.31.196.0/24",  # AS112
    "192.52.193.0/24",  # automatic multicast tunnelling
    "192.88.99.0/24",  # 6to4 relays
    "192.168.0.0/16",  # private
    "192.175.48.0/24",  # AS112
    "198.18.0.0/15",  # benchmarking
    "198.51.100.0/24",  # documentation
    "203.0.113.0/24",  # documentation
    "224.0.0.0/3",  # multicast, reserved, broadcast
)

#: Only global unicast is looked at, so loopback, link-local, site-local, ULA, multicast and the rest are out.
_GLOBAL_V6: Final = ipaddress.IPv6Network("2000::/3")
_SPECIAL_V6: Final = (
    "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarking and others
    "2001:db8::/32",  # documentation
    "2002::/16",  # 6to4
    "2620:4f:8000::/48",  # AS112
    "3fff::/20",  # documentation
)
#: What stands for the IPv4 address in its last 32 bits: IPv4-mapped, and the well-known NAT64 prefix.
_CARRIES_V4: Final = (ipaddress.IPv6Address("::ffff:0:0"), ipaddress.IPv6Address("64:ff9b::"))

_LOW_32: Final = 0xFFFF_FFFF


class _Ranges:
    """Membership in a set of networks: one binary search over plain integers."""

    def __init__(self, networks: Iterable[str]) -> None:
        parsed = [ipaddress.ip_network(network) for network in networks]
        spans = sorted((int(network.network_address), int(network.broadcast_address)) for network in parsed)
        self._starts = [start for start, _ in spans]
        self._ends = [end for _, end in spans]

    def __contains__(self, number: int) -> bool:
        index = bisect_right(self._starts, number) - 1
        return index >= 0 and number <= self._ends[index]


_V4 = _Ranges(_SPECIAL_V4)
_V6 = _Ranges(_SPECIAL_V6)


class Egress:
    """Says which addresses may be dialled.

    `own_addresses` are the server's public ones: its own ports are not for its clients. `allow_bogons` is for
    tests on one machine, and lets every address through.
    """

    def __init__(self, *, allow_bogons: bool, own_addresses: Iterable[str] = ()) -> None:
        self._allow_bogons = allow_bogons
        self.own(own_addresses)

    def own(self, addresses: Iterable[str]) -> None:
        """From now on these are the server's."""
        own = [ipaddress.ip_address(address) for address in addresses]
        self._own_v4 = frozenset(int(address) for address in own if address.version == 4)
        self._own_v6 = frozenset(int(address) for address in own if address.version == 6)

    def permitted(self, address: str) -> bool:
        """True when `address` may be dialled, which must be a plain IP address in its usual text form."""
        parsed = parse_address(address)
        if parsed is None:
            return False
        if self._allow_bogons:
            return True
        number = int(parsed)
        return self._permitted_v4(number) if parsed.version == 4 else self._permitted_v6(number)

    def _permitted_v4(self, number: int) -> bool:
        return number not in _V4 and number not in self._own_v4

    def _permitted_v6(self, number: int) -> bool:
        if _carries_v4(number):
            return self._permitted_v4(number & _LOW_32)
        return (
            number >> 125 == int(_GLOBAL_V6.network_address) >> 125
            and number not in _V6
            and number not in self._own_v6
        )


def reached(address: Address) -> Address:
    """Return the address that packets to this one end up at: it may stand for an IPv4 address."""
    if address.version == 6 and _carries_v4(int(address)):
        return ipaddress.IPv4Address(int(address) & _LOW_32)
    return address


def _carries_v4(number: int) -> bool:
    return any(number & ~_LOW_32 == int(prefix) for prefix in _CARRIES_V4)


def local_addresses(proc: Path = Path("/proc/net")) -> list[str]:
    """Return the addresses of this machine's interfaces as Linux lists them; elsewhere an empty list."""
    found: dict[str, None] = {}
    candidate = ""
    for line in _lines(proc / "fib_trie"):
        # An address line, "|-- 192.0.2.7", is followed by what it is: "/32 host LOCAL".
        if "|-- " in line:
            candidate = line.rpartition(" ")[2]
        elif line.endswith("/32 host LOCAL"):
            found[candidate] = None
    for line in _lines(proc / "if_inet6"):
        found[str(ipaddress.IPv6Address(bytes.fromhex(line[:32])))] = None
    return list(found)


async def follow_own_addresses(
    egress: Egress, always: str, look: Callable[[], list[str]] = local_addresses
) -> None:
    """Keep to what the machine's addresses are, and to `always`, without an end.

    Routes are listed along with them, and may be many: that is read in a thread. Where nothing can be read,
    such as for want of descriptors, those that are known stay.
    """
    while True:
        await asyncio.sleep(LOOK)
        if found := await asyncio.to_thread(look):
            egress.own([always, *found])


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="ascii").splitlines()
    except OSError:
        return []
