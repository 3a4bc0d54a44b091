"""A rate limit for one direction of one tunnel: so many bytes free, then so many a second.

Virtual scheduling: every byte books its share of time on a line that never runs ahead of the clock by itself.
Whoever sent is told how long to wait until the line is free again, so bursts are paid for afterwards and the
average is exact. What was not used while idle is not saved up.
"""

__all__ = ["Throttle"]


class Throttle:
    """`unthrottled` bytes are free, after that `rate` bytes per second; a rate of 0 is no limit."""

    __slots__ = ("_free_at", "_rate", "_unthrottled", "passed")

    def __init__(self, unthrottled: int = 0, rate: int = 0) -> None:
        self._unthrottled = unthrottled
        self._rate = rate
        self.passed = 0  #: bytes
        self._free_at = 0.0  # when everything booked so far has been paid for

    def delay_after(self, count: int, now: float) -> float:
        """Return how many seconds to wait, having just passed `count` bytes; 0 to go on."""
        self.passed += count
        charged = min(count, self.passed - self._unthrottled)
        if charged > 0 and self._rate:
            self._free_at = max(self._free_at, now) + charged / self._rate
        return max(0.0, self._free_at - now)

    def change(self, unthrottled: int, rate: int, now: float) -> None:
        """Go by these. What has passed counts towards them, and what is owed is owed at the new rate."""
        owed = max(0.0, self._free_at - now) * self._rate
        self._unthrottled, self._rate = unthrottled, rate
        self._free_at = now + owed / rate if rate and self.exhausted else 0.0

    @property
    def exhausted(self) -> bool:
        """The free bytes are used up."""
        return self.passed >= self._unthrottled
