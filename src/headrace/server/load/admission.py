"""How many handshakes go on at once (tunnel spec §4): the next ones wait a little, in a line with an end."""

import asyncio
from collections.abc import Callable
from typing import Final, Generic, TypeVar

__all__ = ["LONGEST", "Admission"]

#: How many may wait: more than a processor serves in the time that one has the patience to wait.
LONGEST: Final = 500

T = TypeVar("T")


class Admission(Generic[T]):
    """Lets `most` handshakes go on at once (0: any number), and others wait up to `patience` seconds.

    `turn_away` is told who waited in vain, and why: "queue_timeout" or "queue_full".
    """

    def __init__(self, most: int, patience: float, turn_away: Callable[[T, str], None]) -> None:
        self._most = most
        self._patience = patience
        self._turn_away = turn_away
        self._going_on: set[T] = set()
        self._waiting: dict[T, Callable[[], None]] = {}

    @property
    def going_on(self) -> int:
        """How many have their turn."""
        return len(self._going_on)

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._waiting)

    def admit(self, who: T, proceed: Callable[[], None]) -> bool:
        """Say whether a handshake may go on; if not, `proceed` is called when it may, if it ever may."""
        if not self._most or len(self._going_on) < self._most:
            self._going_on.add(who)
            return True
        loop = asyncio.get_running_loop()
        if len(self._waiting) < LONGEST:
            self._waiting[who] = proceed
            loop.call_later(self._patience, self._give_up, who)
        else:
            loop.call_soon(self._turn_away, who, "queue_full")
        return False

    def leave(self, who: T) -> None:
        """A handshake is over, or will never begin: the next one has its turn."""
        self._waiting.pop(who, None)
        if who in self._going_on:
            self._going_on.discard(who)
            if self._waiting:
                waiting = next(iter(self._waiting))
                proceed = self._waiting.pop(waiting)
                self._going_on.add(waiting)
                proceed()

    def _give_up(self, who: T) -> None:
        if self._waiting.pop(who, None) is not None:
            self._turn_away(who, "queue_timeout")
