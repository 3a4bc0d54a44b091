"""A server that clients may be told of, and when."""

from typing import NamedTuple

__all__ = ["DiscoveryServer"]


class DiscoveryServer(NamedTuple):
    """One of them; times are seconds since 1970."""

    starts: float
    ends: float  #: the first moment when it is over
    address: str  #: as its entry has it; no two servers have the same
    encoded_entry: str

    def open_at(self, now: float) -> bool:
        """Say whether clients may be told of it now."""
        return self.starts <= now < self.ends
