"""Connections that are not logged in: strangers, and clients for the moment that their handshake takes.

A stranger is held as long as an unfinished handshake would be, so holding thousands of connections open costs
an attacker little. It must not cost an honest client his place: when there are too many, the oldest go. They
go as all strangers go, with FIN and without a byte, only sooner; age is the one thing it depends on.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Newcomers"]

T = TypeVar("T")


class Newcomers(Generic[T]):
    """At most `most`, oldest first. `finish` says goodbye to one, `close` waits for its goodbye no longer."""

    def __init__(self, most: int, finish: Callable[[T], None], close: Callable[[T], None]) -> None:
        self.most = most
        self._finish = finish
        self._close = close
        self._here: dict[T, None] = {}
        self._going: dict[T, None] = {}  # with our FIN, but still holding a descriptor

    def __len__(self) -> int:
        return len(self._here) + len(self._going)

    def add(self, who: T) -> bool:
        """Take one in; return whether another had to go for it."""
        self._here[who] = None
        if len(self._here) <= self.most:
            return False
        oldest = _pop_first(self._here)
        self._going[oldest] = None
        self._finish(oldest)
        if len(self._going) > self.most:
            self._close(_pop_first(self._going))
        return True

    def discard(self, who: T) -> None:
        """One is logged in, or gone."""
        self._here.pop(who, None)
        self._going.pop(who, None)


def _pop_first(line: dict[T, None]) -> T:
    first = next(iter(line))
    del line[first]
    return first
