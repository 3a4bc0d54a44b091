"""Which further server a client is told of: chosen when it is accepted, handed out in the handshake.

So nothing of its address has to be kept in between, not even what a strategy makes of it.
"""

import ipaddress
from collections.abc import Sequence

from headrace.discovery.candidates import Candidates
from headrace.discovery.servers import DiscoveryServer
from headrace.discovery.strategy import Address, Choose, Strategy

__all__ = ["Discovery"]


class Discovery:
    """Chooses among `servers`, which it looks through again when the time of one begins or ends."""

    def __init__(self, servers: Sequence[DiscoveryServer], strategy: Strategy) -> None:
        self._servers = servers
        self._strategy = strategy
        self._candidates: Candidates | None = None
        self._choose: Choose | None = None

    def choose(self, address: str, now: float) -> DiscoveryServer | None:
        """Return the server for a client, None if there is none, or nothing is known of where it is."""
        client = _parse(address)
        if self._candidates is None or not self._candidates.valid_at(now):
            self._candidates = candidates = Candidates(self._servers, now)
            self._choose = self._strategy.arrange(candidates.servers) if candidates.servers else None
        return self._choose(client, now) if self._choose and client else None


def _parse(text: str) -> Address | None:
    """Return the address; net.addresses remembers those that it has read, and these must not be."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return address.ipv4_mapped or address if address.version == 6 else address
