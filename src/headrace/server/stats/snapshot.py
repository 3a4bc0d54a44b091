"""The figures of a worker at a moment. Those of all workers add up to the server's.

They cross to the supervisor as JSON, so here is all that a worker ever tells it of its clients: how many, by
protocol, country and network.
"""

from bisect import bisect_left
from typing import Any, Final, NamedTuple

import msgspec

__all__ = ["HANDSHAKE_BOUNDS", "Clients", "Histogram", "Snapshot", "client_key", "read_clients"]

#: Upper bounds of a handshake's duration in the histogram, in seconds; the last group has none.
HANDSHAKE_BOUNDS: Final = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class Histogram(msgspec.Struct, kw_only=True):
    """How many handshakes took how long."""

    groups: list[int] = msgspec.field(default_factory=lambda: [0] * (len(HANDSHAKE_BOUNDS) + 1))
    seconds: float = 0.0  #: all of them together

    def observe(self, seconds: float) -> None:
        """Count one."""
        self.groups[bisect_left(HANDSHAKE_BOUNDS, seconds)] += 1
        self.seconds += seconds

    def __add__(self, other: "Histogram") -> "Histogram":
        groups = [a + b for a, b in zip(self.groups, other.groups, strict=True)]
        return Histogram(groups=groups, seconds=self.seconds + other.seconds)


class Clients(NamedTuple):
    """Who is counted together."""

    protocol: str
    region: str
    asn: str


def client_key(protocol: str, region: str, asn: str) -> str:
    """Return what such clients are counted under."""
    return f"{protocol}/{region}/{asn}"


def read_clients(key: str) -> Clients:
    """Return what a key made by `client_key` says."""
    return Clients(*key.split("/", 2))


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One worker's figures, or the sum of several's: `a + b`."""

    # Now:
    workers: int = 0
    accepting: int = 0  #: workers that accept connections
    connections: dict[str, int] = {}  #: of any state, by `client_key`
    tunnels: dict[str, int] = {}  #: in use, likewise
    strangers: int = 0  #: connections of peers that are no clients
    handshakes: int = 0  #: that have their turn
    queued: int = 0  #: that wait for it
    tcp_forwards: int = 0
    udp_forwards: int = 0
    dialing: int = 0
    buffered_bytes: int = 0  #: that wait to be sent, to clients and to destinations
    resident_bytes: int = 0
    open_files: int = 0
    loop_lag: float = 0.0  #: most that a timer was late in the last minute, seconds; the slowest worker's
    files: dict[str, float] = {}  #: when those in force were written, seconds since 1970, by their fields
    # Since the start:
    counts: dict[str, int] = {}  #: see stats.names
    handshake_seconds: Histogram = msgspec.field(default_factory=Histogram)

    def __add__(self, other: "Snapshot") -> "Snapshot":
        names = self.__struct_fields__
        return Snapshot(**{name: _join(name, getattr(self, name), getattr(other, name)) for name in names})

    @property
    def past(self) -> "Snapshot":
        """What stays when the worker is gone."""
        return Snapshot(counts=self.counts, handshake_seconds=self.handshake_seconds)

    @property
    def established(self) -> int:
        """Tunnels in use."""
        return sum(self.tunnels.values())


def _join(name: str, a: Any, b: Any) -> Any:
    if name == "loop_lag":
        return max(a, b)
    if name == "files":
        return {key: min(side[key] for side in (a, b) if key in side) for key in a.keys() | b.keys()}
    if isinstance(a, dict):
        return {key: a.get(key, 0) + b.get(key, 0) for key in a.keys() | b.keys()}
    return a + b
