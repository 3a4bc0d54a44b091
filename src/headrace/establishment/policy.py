"""Keeping the best: which of the servers that let us in is used.

Two ways. Today's clients take whoever is first, after a moment's head start for the server used last: the
fastest under equal conditions is the best, and whoever is overloaded is slow. Those of 2014 collected for a
moment whoever was through, and chose among these.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from headrace.establishment.dial_parameters import DialParameters

__all__ = ["Arrival", "Collect", "FirstReady", "SelectionPolicy"]


@dataclass(frozen=True, slots=True)
class Arrival:
    """An attempt that is through log-in and liveness test: at which time, after how many seconds."""

    attempt: DialParameters
    at: float
    took: float


class SelectionPolicy(Protocol):
    """A way to keep the best."""

    @property
    def head_start(self) -> float:
        """Seconds for which the server used last is dialled alone."""
        ...

    def decides_at(self, arrivals: Sequence[Arrival]) -> float:
        """Return when one of these is to be chosen; there is at least one, the earliest first."""
        ...

    def choose(self, arrivals: Sequence[Arrival]) -> Arrival:
        """Return the one to use."""
        ...


@dataclass(frozen=True, slots=True)
class FirstReady:
    """Whoever is first, at once (client spec §1.8)."""

    head_start: float = 1.0

    def decides_at(self, arrivals: Sequence[Arrival]) -> float:
        return arrivals[0].at

    def choose(self, arrivals: Sequence[Arrival]) -> Arrival:
        return arrivals[0]


@dataclass(frozen=True, slots=True)
class Collect:
    """The quickest of those that are through within `window` seconds of the first (client spec §1.9).

    The server used last is preferred to a quicker one, if it is among them.
    """

    window: float = 0.1
    prefer_favourite: bool = True
    head_start: float = 0.0

    def decides_at(self, arrivals: Sequence[Arrival]) -> float:
        return arrivals[0].at + self.window

    def choose(self, arrivals: Sequence[Arrival]) -> Arrival:
        def rank(arrival: Arrival) -> tuple[bool, float]:
            return not (self.prefer_favourite and arrival.attempt.head_start), arrival.took

        return min(arrivals, key=rank)
