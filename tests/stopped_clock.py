"""A clock that shows the same time until it is told another."""

from headrace.base.clock import SystemClock


class StoppedClock(SystemClock):
    """`now` is seconds since 1970."""

    def __init__(self, now: float) -> None:
        self.now = now

    def time(self) -> float:
        return self.now
