"""How many connections are taken in a second: a token bucket.

It holds what a second brings, so that those who come together in an ordinary moment do not wait.
"""

__all__ = ["AcceptRate"]


class AcceptRate:
    """`per_second` connections a second, 0 for any number. Times are a clock's that only moves forward."""

    def __init__(self, per_second: float) -> None:
        self._rate = per_second
        self._tokens = self._size = max(1.0, per_second)
        self._then = 0.0

    def wait(self, now: float) -> float:
        """Return the seconds until the next connection may be taken."""
        if not self._rate:
            return 0.0
        self._tokens = min(self._size, self._tokens + (now - self._then) * self._rate)
        self._then = now
        return max(0.0, 1.0 - self._tokens) / self._rate

    def taken(self) -> None:
        """One was taken."""
        self._tokens -= 1.0
