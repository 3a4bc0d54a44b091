"""Handshakes: so many at once, a line behind them, and an end to patience."""

import asyncio
from collections.abc import Callable

import pytest

from headrace.server.load.admission import LONGEST, Admission

pytestmark = pytest.mark.virtual_time


class Line:
    """An admission, and what has come of whom."""

    def __init__(self, most: int, patience: float = 1.0) -> None:
        self.away: list[tuple[int, str]] = []
        self.begun: list[int] = []
        self.admission: Admission[int] = Admission(
            most, patience, lambda who, why: self.away.append((who, why))
        )

    def come(self, who: int) -> bool:
        return self.admission.admit(who, self._begin(who))

    def _begin(self, who: int) -> Callable[[], None]:
        return lambda: self.begun.append(who)


async def test_zero_is_no_limit() -> None:
    line = Line(0)
    assert all(line.come(who) for who in range(1000))
    assert (line.admission.going_on, line.admission.waiting) == (1000, 0)


async def test_the_next_one_has_his_turn_when_one_leaves() -> None:
    line = Line(2)
    assert [line.come(who) for who in range(5)] == [True, True, False, False, False]
    line.admission.leave(1)
    assert line.begun == [2]
    line.admission.leave(0)
    line.admission.leave(2)
    assert line.begun == [2, 3, 4]
    assert (line.admission.going_on, line.admission.waiting) == (2, 0)
    await asyncio.sleep(10)
    assert line.away == []


async def test_who_leaves_the_line_takes_no_place_with_him() -> None:
    line = Line(1)
    for who in range(3):
        line.come(who)
    line.admission.leave(1)
    line.admission.leave(1)
    line.admission.leave(99)  # was never here
    line.admission.leave(0)
    assert line.begun == [2]


async def test_patience_has_an_end() -> None:
    line = Line(1, patience=3.0)
    line.come(0)
    line.come(1)
    await asyncio.sleep(2)
    line.come(2)
    await asyncio.sleep(1.5)
    assert line.away == [(1, "queue_timeout")]
    line.admission.leave(0)
    assert line.begun == [2]


async def test_the_line_has_an_end() -> None:
    line = Line(1)
    for who in range(LONGEST + 3):
        line.come(who)
    assert line.away == []  # not before the caller knows that there was no place
    await asyncio.sleep(0)
    assert line.away == [(LONGEST + 1, "queue_full"), (LONGEST + 2, "queue_full")]
    assert line.admission.waiting == LONGEST
