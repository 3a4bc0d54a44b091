"""Time as an argument: whoever needs a clock is handed one, so that tests own the time."""

import time
from typing import Protocol

__all__ = ["SYSTEM_CLOCK", "Clock", "SystemClock"]


class Clock(Protocol):
    """Three readings: one that only moves forward, one that does so in the machine's sleep, and a date."""

    def monotonic(self) -> float:
        """Return seconds on a clock that never jumps; only differences mean anything."""
        ...

    def boottime(self) -> float:
        """Return seconds on such a clock that goes on while the machine sleeps, where there is one."""
        ...

    def time(self) -> float:
        """Return seconds since 1970-01-01 UTC."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def monotonic(self) -> float:
        return time.monotonic()

    def boottime(self) -> float:
        return _boottime()

    def time(self) -> float:
        return time.time()


def _boottime() -> float:
    clock = getattr(time, "CLOCK_BOOTTIME", None)  # Linux's
    return time.monotonic() if clock is None else time.clock_gettime(clock)


SYSTEM_CLOCK = SystemClock()
