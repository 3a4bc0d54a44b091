"""A rate limit for one direction of one tunnel: so many bytes free, then so many a second.

Virtual scheduling: every byte books its share of time on a line that never runs ahead of the clock by itself.
Whoever sent is told how long to wait until the line is free again, so bursts are paid for afterwards and the
average is exact. What was not used while idle is not saved up.
"""

__all__ = ["Throttle"]


class Throttle:
    """`unthrottled` bytes are free, after that `rate` bytes per second; a rate of 0 is no limit."""

    __slots__ = ("_free", "_free_at", "_rate")

    def __init__(self, unthrottled: int, rate: int) -> None:
        self._free = unthrottled
        self._rate = rate
        self._free_at = 0.0  # when everything booked so far has been paid for

    def delay_after(self, count: int, now: float) -> float:
        """Return how many seconds to wait, having just passed `count` bytes; 0 to go on."""
        free = min(count, self._free)
        self._free -= free
        if count == free or not self._rate:
            return 0.0
        self._free_at = max(self._free_at, now) + (count - free) / self._rate
        return self._free_at - now

    @property
    def exhausted(self) -> bool:
        """The free bytes are used up."""
        return self._free == 0
