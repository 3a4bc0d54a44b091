"""Deadlines of many things that all have the same time: one timer, and two steps in a dict for each.

A timer for each thing would cost more than much of what is timed. Things are kept in the order in which they
began, which is the order in which their time runs out.
"""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Deadlines"]

T = TypeVar("T")


class Deadlines(Generic[T]):
    """Calls `expire` with each thing that is not stopped within `seconds`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float, expire: Callable[[T], None]) -> None:
        self._loop = loop
        self._seconds = seconds
        self._expire = expire
        self._due: dict[T, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, thing: T) -> bool:
        return thing in self._due

    def start(self, thing: T) -> None:
        """Begin a thing's time, or begin it anew."""
        self._due.pop(thing, None)
        self._due[thing] = due = self._loop.time() + self._seconds
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._strike)

    def stop(self, thing: T) -> None:
        """Forget a thing, if it is known."""
        self._due.pop(thing, None)

    def hasten(self) -> None:
        """Let the time of the oldest thing be over now."""
        self._end(next(iter(self._due)))

    def close(self) -> None:
        """Expire everything."""
        while self._due:
            self.hasten()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _strike(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._due:
            thing, due = next(iter(self._due.items()))
            if due > now:
                self._timer = self._timer or self._loop.call_at(due, self._strike)
                return
            self._end(thing)

    def _end(self, thing: T) -> None:
        del self._due[thing]
        self._expire(thing)
