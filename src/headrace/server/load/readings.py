"""How busy the machine is, as the Linux kernel's files tell it. What a file does not say is left out.

/proc/loadavg                                 processes that run or wait to, averaged over a minute
/proc/meminfo                                 memory, and what of it could be had
/proc/sys/net/netfilter/nf_conntrack_*        connections that the kernel follows, and how many it can
/sys/class/net/<name>/statistics/rx_bytes     what the interface has received; its speed is beside it
"""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headrace.net.default_route import default_route

__all__ = ["Machine", "Readings"]

#: An interface is taken for no faster than a gigabit a second: so little is what hosts are sold with.
MOST_BITS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """At one moment; None is not known."""

    load_per_core: float | None = None
    memory: int | None = None  #: bytes
    available_memory: int | None = None
    tracked: float | None = None  #: part of the connections that the kernel can follow
    interface_bits: int | None = None  #: that the interface can receive in a second
    inbound_bits: float | None = None  #: that it did receive, per second since the last reading


class Machine:
    """Reads it; `root` is where the kernel's files are."""

    def __init__(self, root: Path = Path("/"), cores: int | None = None) -> None:
        self._root = root
        self._cores = cores or os.cpu_count() or 1
        self._received: tuple[str, float, float] | None = None

    def read(self, now: float) -> Readings:
        """Return how it is at `now`, seconds on a clock that only moves forward."""
        load, *_ = self._text("proc/loadavg").split(maxsplit=1) or [""]
        running = _number(load)
        memory = self._memory()
        tracked, most = (
            _number(self._text(f"proc/sys/net/netfilter/nf_conntrack_{name}")) for name in ("count", "max")
        )
        route = default_route(self._root)
        interface = route.interface if route is not None else ""
        return Readings(
            load_per_core=running / self._cores if running is not None else None,
            memory=memory.get("MemTotal"),
            available_memory=memory.get("MemAvailable"),
            tracked=tracked / most if tracked is not None and most else None,
            interface_bits=self._speed(interface),
            inbound_bits=self._inbound(interface, now),
        )

    def _memory(self) -> dict[str, int]:
        sizes = {}
        for line in self._text("proc/meminfo").splitlines():
            name, _, size = line.partition(":")
            if (kilobytes := _number(size.removesuffix("kB"))) is not None:
                sizes[name] = int(kilobytes) * 1024
        return sizes

    def _speed(self, interface: str) -> int | None:
        megabits = _number(self._text(f"sys/class/net/{interface}/speed"))
        return min(int(megabits) * 1_000_000, MOST_BITS) if megabits is not None and megabits > 0 else None

    def _inbound(self, interface: str, now: float) -> float | None:
        received = _number(self._text(f"sys/class/net/{interface}/statistics/rx_bytes"))
        if received is None:
            return None
        before, self._received = self._received, (interface, now, received)
        if before is None or before[0] != interface or before[1] >= now or before[2] > received:
            return None
        return (received - before[2]) * 8 / (now - before[1])

    def _text(self, path: str) -> str:
        try:
            return (self._root / path).read_text("ascii", "replace")
        except OSError:
            return ""


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
