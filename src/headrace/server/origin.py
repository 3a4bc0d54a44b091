"""What a server keeps of where a client comes from: never the address itself.

Both parts are made the moment the connection is accepted, and nothing of ours holds the address after that.
"""

from dataclasses import dataclass

from headrace.server.geoip import NOWHERE, Place

__all__ = ["UNKNOWN_ORIGIN", "Origin"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Of one connection."""

    place: Place = NOWHERE


UNKNOWN_ORIGIN = Origin()
"""That of a connection whose address says nothing."""
