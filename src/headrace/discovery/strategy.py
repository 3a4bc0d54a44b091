"""What a strategy of discovery has to do, and those there are.

A strategy is asked once for each set of candidates to arrange them, which may take a while. What it makes of
them is then asked for every client, which must not. The client's address goes in and nothing else comes out
than a server, so there is nothing of it to be kept.
"""

import ipaddress
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from headrace.base.errors import DocumentError
from headrace.discovery.classic import Classic
from headrace.discovery.consistent import Consistent
from headrace.discovery.keyed import Keyed
from headrace.discovery.servers import DiscoveryServer

__all__ = ["DEFAULT_STRATEGY", "STRATEGIES", "Address", "Choose", "Strategy", "make_strategy"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
"""A client's; an IPv4 address is never in its IPv6 form."""

Choose = Callable[[Address, float], DiscoveryServer | None]
"""Given a client's address and the time, seconds since 1970: the server for it."""


class Strategy(Protocol):
    """Equal strategies choose alike."""

    def arrange(self, candidates: Sequence[DiscoveryServer]) -> Choose:
        """Return who chooses among these, of which there is at least one."""
        ...


STRATEGIES: Final[dict[str, Callable[[str], Strategy]]] = {
    "classic": Classic,
    "consistent": lambda key: Consistent(),
    "keyed": Keyed,
}
"""By name; each is made from the network's secret (DiscoveryValueHMACKey)."""

DEFAULT_STRATEGY: Final = "consistent"


def make_strategy(name: str, key: str) -> Strategy:
    """Return the strategy of that name, the default one for "". Raises DocumentError."""
    make = STRATEGIES.get(name or DEFAULT_STRATEGY)
    if make is None:
        raise DocumentError(f"{name} is no way of discovery: write one of {', '.join(STRATEGIES)}")
    return make(key)
