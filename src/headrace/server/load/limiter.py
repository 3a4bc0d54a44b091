"""When the server as a whole takes no new tunnels, and when it does again (operations spec §2.1).

Each thing that can be too much is a pressure: 1.0 is the limit. One that reached it counts until it is a good
part below, so that the server does not open and shut its doors at every reading.
"""

from collections.abc import Mapping
from typing import Final

from headrace.documents.load_limits import LoadLimits
from headrace.server.load.readings import MOST_BITS, Readings

__all__ = ["PERIOD", "LoadLimiter"]

#: Seconds between two readings.
PERIOD: Final = 5.0
#: A pressure that reached the limit is over below this part of it.
RELIEF: Final = 0.9


class LoadLimiter:
    """Knows why no new tunnels are to be taken: `reasons` is empty when they are."""

    def __init__(self, limits: LoadLimits) -> None:
        self.limits = limits
        self.reasons: frozenset[str] = frozenset()

    def judge(self, readings: Readings, *, tunnels: int, connecting: int) -> frozenset[str]:
        """Return the reasons, by the machine's readings and what all workers together have."""
        pressures = self._pressures(readings, tunnels, connecting)
        self.reasons = frozenset(
            name
            for name, pressure in pressures.items()
            if pressure >= (RELIEF if name in self.reasons else 1.0)
        )
        return self.reasons

    def _pressures(self, readings: Readings, tunnels: int, connecting: int) -> Mapping[str, float]:
        limits = self.limits
        bits = limits.interface_bits_per_second or readings.interface_bits or MOST_BITS
        return {
            "tunnels": _part(tunnels, limits.tunnels),
            "load": _part(readings.load_per_core, limits.load_per_core),
            "memory": self._memory(readings),
            "connecting": _part(connecting, limits.connecting),
            "tracked": _part(readings.tracked, limits.tracked_connections),
            "inbound": _part(readings.inbound_bits, limits.inbound * bits),
        }

    def _memory(self, readings: Readings) -> float:
        if readings.memory is None or readings.available_memory is None:
            return 0.0
        return self.limits.least_memory(readings.memory) / max(1, readings.available_memory)


def _part(value: float | None, limit: float) -> float:
    return value / limit if value is not None and limit else 0.0
