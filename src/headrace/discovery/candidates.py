"""The servers whose time it is, worked out anew only when some server's time begins or ends."""

import math
from collections.abc import Sequence

from headrace.discovery.servers import DiscoveryServer

__all__ = ["Candidates"]


class Candidates:
    """What may be told of from `now` on, as long as `valid_at` says so; in the database's order."""

    __slots__ = ("servers", "since", "until")

    def __init__(self, servers: Sequence[DiscoveryServer], now: float) -> None:
        self.servers = tuple(server for server in servers if server.open_at(now))
        self.since = now
        #: the next start or end, infinity if there is none
        self.until = min(
            (time for server in servers for time in (server.starts, server.ends) if time > now),
            default=math.inf,
        )

    def valid_at(self, now: float) -> bool:
        """Say whether the same servers are candidates now; a clock that was set back is not trusted."""
        return self.since <= now < self.until
