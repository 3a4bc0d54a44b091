"""Classic discovery: a keyed value of the address chooses a bucket of servers, the hour one of the bucket's.

However long somebody watches from one address, one bucket is all they see (server-lists spec §5.3).
"""

import hashlib
import hmac
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise

from headrace.discovery.servers import DiscoveryServer

__all__ = ["Classic", "buckets", "discovery_value"]

_HOUR = 3600  # seconds


@dataclass(frozen=True, slots=True)
class Classic:
    """`key` is used as the text it is, although it looks like Base64."""

    key: str = field(repr=False)

    def arrange(self, candidates: Sequence[DiscoveryServer]) -> "_Buckets":
        """Return who chooses among these."""
        return _Buckets(self.key, buckets(candidates))


@dataclass(frozen=True, slots=True)
class _Buckets:
    key: str = field(repr=False)
    buckets: list[Sequence[DiscoveryServer]]

    def __call__(self, address: IPv4Address | IPv6Address, now: float) -> DiscoveryServer | None:
        value = discovery_value(self.key, str(address))
        bucket = self.buckets[value % len(self.buckets)]
        return bucket[int(now // _HOUR) % len(bucket)] if bucket else None


def discovery_value(key: str, address: str) -> int:
    """Return the value, 0 to 255, of an address in its canonical text form."""
    return hmac.digest(key.encode(), address.encode(), hashlib.sha256)[0]


def buckets(candidates: Sequence[DiscoveryServer]) -> list[Sequence[DiscoveryServer]]:
    """Return the candidates cut into about as many slices as each of them is long."""
    total = len(candidates)
    count = math.ceil(math.sqrt(total))
    bounds = [math.floor(total / count * number + 0.5) for number in range(count + 1)] if count else []
    return [candidates[low:high] for low, high in pairwise(bounds)]
