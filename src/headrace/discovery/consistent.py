"""Consistent discovery: on a ring of hashes each server owns one of as many parts of the clients.

The address alone decides, not the time. The parts are as many as the servers, so another number of servers
deals the clients out anew (server-lists spec §5.3).
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from headrace.discovery.servers import DiscoveryServer

__all__ = ["Consistent", "owners"]

_IPV4_IN_IPV6 = bytes(10) + b"\xff\xff"


@dataclass(frozen=True, slots=True)
class Consistent:
    """There is nothing to be set."""

    def arrange(self, candidates: Sequence[DiscoveryServer]) -> "_Ring":
        """Return who chooses among these."""
        return _Ring([candidates[owner] for owner in owners([server.address for server in candidates])])


@dataclass(frozen=True, slots=True)
class _Ring:
    parts: list[DiscoveryServer]

    def __call__(self, address: IPv4Address | IPv6Address, now: float) -> DiscoveryServer:
        packed = address.packed if address.version == 6 else _IPV4_IN_IPV6 + address.packed
        return self.parts[_hash(packed) % len(self.parts)]


def owners(members: Sequence[str]) -> list[int]:
    """Return for each part of the clients which member owns it: each owns one."""
    count = len(members)
    hashes = [_hash(f"{member}0".encode()) for member in members]  # "0": the first and only replica
    ring = sorted(range(count), key=hashes.__getitem__)
    starts = [hashes[member] for member in ring]
    # next_free[place] leads to the first member from there on that owns nothing yet; paths are cut short.
    next_free = list(range(count))
    parts = []
    for part in range(count):
        place = bisect_left(starts, _hash(part.to_bytes(8, "little"))) % count
        walked = []
        while next_free[place] != place:
            walked.append(place)
            place = next_free[place]
        parts.append(ring[place])
        following = (place + 1) % count
        for passed in (*walked, place):
            next_free[passed] = following
    return parts


def _hash(data: bytes) -> int:
    import xxhash  # only a server needs it, and not at once

    return xxhash.xxh64_intdigest(data)
