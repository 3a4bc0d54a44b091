"""What somebody learns of the network who asks again and again, from as many addresses as they can get.

No answer but by trying: the strategy chooses as on a server, for every address and hour.
"""

from collections.abc import Iterable, Sequence

from headrace.discovery.candidates import Candidates
from headrace.discovery.servers import DiscoveryServer
from headrace.discovery.strategy import Address, Strategy

__all__ = ["learned"]

_HOUR = 3600


def learned(
    strategy: Strategy,
    servers: Sequence[DiscoveryServer],
    addresses: Iterable[Address],
    begin: float,
    hours: int,
) -> set[str]:
    """Return the addresses of the servers that `addresses` are told of if each asks once an hour."""
    asking = list(addresses)
    found: set[str] = set()
    for hour in range(hours):
        now = begin + hour * _HOUR
        candidates = Candidates(servers, now).servers
        if candidates:
            choose = strategy.arrange(candidates)
            found |= {server.address for address in asking if (server := choose(address, now))}
    return found
