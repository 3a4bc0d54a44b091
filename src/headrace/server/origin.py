"""What a server keeps of where a client comes from: never the address itself.

Both parts are made the moment the connection is accepted, and nothing of ours holds the address after that.
"""

from dataclasses import dataclass

from headrace.discovery.servers import DiscoveryServer
from headrace.server.geoip import NOWHERE, Place

__all__ = ["UNKNOWN_ORIGIN", "Origin"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Of one connection."""

    place: Place = NOWHERE
    discovery: DiscoveryServer | None = None  #: what the client will be told of, if it is still time then


UNKNOWN_ORIGIN = Origin()
"""That of a connection whose address says nothing."""
