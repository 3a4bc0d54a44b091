"""Which servers the host of a server is given to tell of (operations spec §1.9).

Servers are shared by all propagation channels, so the whole network's are given to every host, but for

* those whose time is over, or begins later than the horizon: a host that is seized gives away two days, and a
  publisher that stands still for so long is noticed before;
* with pools, those of other pools: hosts and servers are dealt out to pools by themselves, each by its own
  name alone, so that one more host or server moves nothing else.
"""

from collections.abc import Sequence
from typing import Final

from headrace.discovery.servers import DiscoveryServer

__all__ = ["HORIZON", "extract", "pool_of"]

#: Seconds ahead that a host may know.
HORIZON: Final = 48 * 3600


def extract(
    servers: Sequence[DiscoveryServer],
    now: float,
    *,
    host: str = "",
    pools: int = 1,
    horizon: float = HORIZON,
) -> list[DiscoveryServer]:
    """Return those of the network's `servers` that the host is given, in their order.

    `host` is its identifier, of no account where there is one pool.
    """
    mine = pool_of(host, pools)
    return [
        server
        for server in servers
        if now < server.ends and server.starts <= now + horizon and pool_of(server.address, pools) == mine
    ]


def pool_of(name: str, pools: int) -> int:
    """Return the pool of a host or server: the one it has the highest score with (rendezvous hashing).

    Of n + 1 pools instead of n the new one gets its share from all others, and nothing else moves.
    """
    import xxhash

    return max(range(pools), key=lambda pool: xxhash.xxh64_intdigest(f"{pool} {name}".encode()))
