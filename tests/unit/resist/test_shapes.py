"""Sizes of segments and bursts."""

from hypothesis import given
from hypothesis import strategies as st

from headrace.resist.shapes import MSS, Burst, bursts, on_ethernet

SIZES = st.lists(st.integers(-70_000, 70_000).filter(bool))


def test_segments_are_cut_as_on_ethernet() -> None:
    assert on_ethernet([100, -3000, 1448, -1449]) == [100, -1448, -1448, -104, 1448, -1448, -1]


@given(SIZES)
def test_cutting_loses_no_byte_and_turns_none_around(sizes: list[int]) -> None:
    cut = on_ethernet(sizes)
    assert all(0 < abs(size) <= MSS for size in cut)
    assert [(b.upstream, b.size) for b in bursts(cut)] == [(b.upstream, b.size) for b in bursts(sizes)]


def test_a_burst_is_what_goes_one_way_until_something_comes_back() -> None:
    assert bursts([10, 20, -5, 7, -1, -1, -1]) == [
        Burst(True, 2, 30),
        Burst(False, 1, 5),
        Burst(True, 1, 7),
        Burst(False, 3, 3),
    ]
    assert bursts([]) == []
