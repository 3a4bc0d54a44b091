"""Keyed discovery: every client's network has a server of its own choice, by a secret of our network.

    seed = the first 8 octets of HMAC-SHA256(secret, the address's network)
    the server for it is the one whose address has the highest xxHash64 with that seed

* Whoever has a whole /24, or an IPv6 /48, sees what one address of it sees.
* Without the secret nobody can work out which address to ask from; the plain hash of `consistent` they can.
* A server that comes or goes changes the answer for its own share of clients and for no others, where
  `consistent` deals all of them out anew.

Each choice looks at every candidate: some 0.1 ms among 1,000.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from itertools import repeat
from typing import Final

from headrace.base.errors import DocumentError
from headrace.discovery.servers import DiscoveryServer

__all__ = ["PREFIXES", "Keyed"]

#: Octets of an address that say whose it is, by IP version: what people, and sites, are given.
PREFIXES: Final = {4: 3, 6: 6}


@dataclass(frozen=True, slots=True)
class Keyed:
    """`key` is the network's secret. Raises DocumentError if there is none."""

    key: str = field(repr=False)

    def __post_init__(self) -> None:
        if not self.key:
            raise DocumentError("keyed needs the network's secret: write it as DiscoveryValueHMACKey")

    def arrange(self, candidates: Sequence[DiscoveryServer]) -> "_Draw":
        """Return who chooses among these."""
        return _Draw(self.key.encode(), candidates, [server.address.encode() for server in candidates])


@dataclass(frozen=True, slots=True)
class _Draw:
    key: bytes = field(repr=False)
    servers: Sequence[DiscoveryServer]
    names: list[bytes]

    def __call__(self, address: IPv4Address | IPv6Address, now: float) -> DiscoveryServer:
        from xxhash import xxh64_intdigest

        network = bytes([address.version]) + address.packed[: PREFIXES[address.version]]
        seed = int.from_bytes(hmac.digest(self.key, network, hashlib.sha256)[:8])
        scores = list(map(xxh64_intdigest, self.names, repeat(seed)))
        return self.servers[scores.index(max(scores))]
