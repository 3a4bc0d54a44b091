"""The ceiling of memory: when to take no more, when again, and who goes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.server.load.memory import HOARD, Memory, hand_back, hoarders
from headrace.server.stats.process_figures import resident_bytes

MB = 1 << 20


class Process:
    """Uses so much, and could give some of it back."""

    def __init__(self, ceiling: int) -> None:
        self.used = 0
        self.spare = 0
        self.memory = Memory(ceiling, lambda: self.used, self._relieve)

    def _relieve(self) -> None:
        self.used, self.spare = self.used - self.spare, 0


@pytest.mark.parametrize(
    ("history", "short"),
    [
        ([50], False),
        ([90], False),
        ([91], True),
        ([91, 85], True),
        ([91, 81], True),
        ([91, 80], False),
        ([91, 80, 85], False),
        ([120, 95], True),
    ],
)
def test_it_is_short_near_the_ceiling_until_there_is_room_again(history: list[int], short: bool) -> None:
    process = Process(100)
    for process.used in history:
        process.memory.look()
    assert process.memory.short is short


def test_the_excess_is_what_is_over_the_ceiling() -> None:
    process = Process(100)
    process.used = 130
    assert process.memory.look() == 30
    process.used = 100
    assert process.memory.look() == 0


def test_what_is_kept_for_later_is_handed_back_first() -> None:
    process = Process(100)
    process.used, process.spare = 130, 60
    assert process.memory.look() == 0
    assert not process.memory.short


def test_without_a_ceiling_nothing_is_too_much() -> None:
    process = Process(0)
    process.used = 1 << 60
    assert process.memory.look() == 0
    assert not process.memory.short


def test_handing_back_is_harmless() -> None:
    before = resident_bytes()
    hand_back()
    assert 0 < resident_bytes() <= before + MB


def test_those_go_who_hold_most_and_as_few_as_will_do() -> None:
    held = [("a", 2 * MB), ("b", 50 * MB), ("c", 9 * MB), ("d", 10)]
    assert hoarders(held, 0) == []
    assert hoarders(held, 1) == ["b"]
    assert hoarders(held, 51 * MB) == ["b", "c"]
    assert hoarders(held, 10**12) == ["b", "c", "a"]  # whoever holds nothing is not to blame


@given(st.lists(st.integers(0, 4 * HOARD)), st.integers(-1, 40 * HOARD))
def test_no_more_go_than_needed(sizes: list[int], excess: int) -> None:
    gone = hoarders(list(enumerate(sizes)), excess)
    assert all(sizes[who] >= HOARD for who in gone)
    assert sum(sizes[who] for who in gone[:-1]) < max(1, excess)
    if sum(sizes[who] for who in gone) < excess:
        assert len(gone) == sum(size >= HOARD for size in sizes)
