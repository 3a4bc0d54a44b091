"""Attempts in an order that the test gives, for schedulers: servers go by letters, or by addresses."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from tests.unit.client.dialable import entry

from headrace.base.rng import SeededRng
from headrace.establishment.candidates import Nothing
from headrace.establishment.dial_parameters import DialParameters, choose

__all__ = ["Line", "address", "attempt"]


class Line:
    """Attempts in the order given, the same in every round; the first of the first round may be favoured."""

    def __init__(self, *names: str, favourite: bool = False) -> None:
        self.names = list(names)
        self.favourite = favourite
        self.seen = 0
        self.rounds: list[bool] = []
        self._left: list[str] = []
        self._new: list[str] = []
        self._number = 0
        self._later = 0

    @property
    def left(self) -> int:
        """How many are left in the round, the newcomers, and the times it will hesitate."""
        return len(self._left) + len(self._new) + self._later

    def hesitate(self, times: int) -> None:
        """Have nothing at hand for so many calls."""
        self._later = times

    def begin_round(self, first: bool, *, favourite: bool = True) -> None:
        self.rounds.append(first)
        self._left, self.seen = list(self.names), 0

    def add(self, addresses: Sequence[str]) -> None:
        self._new += addresses

    def take(self, busy: Collection[str] = (), *, newcomers: bool = False) -> DialParameters | Nothing:
        if self._later:
            self._later -= 1
            return Nothing.LATER
        line = self._new if newcomers else self._left
        while line:
            name = line.pop(0)
            self.seen += 1
            if address(name) in busy:
                continue
            self._number += 1
            head_start = self.favourite and self.rounds == [True] and name in self.names[:1]
            return attempt(name, candidate_number=self._number, head_start=head_start)
        return Nothing.NOBODY


def address(name: str) -> str:
    return name if "." in name else f"192.0.2.{ord(name) - ord('a') + 1}"


def attempt(name: str, **changes: Any) -> DialParameters:
    made = choose(entry(1, ipAddress=address(name)), "OSSH", SeededRng(1))
    return replace(made, latency_multiplier=1.0, **changes)
