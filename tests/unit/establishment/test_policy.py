"""Keeping the best: who is chosen among those that are through, and when."""

from dataclasses import replace

import pytest
from tests.unit.client.dialable import entry

from headrace.base.rng import SeededRng
from headrace.establishment.dial_parameters import choose
from headrace.establishment.policy import Arrival, Collect, FirstReady


def arrival(number: int, at: float, took: float, *, favourite: bool = False) -> Arrival:
    made = choose(entry(number), "OSSH", SeededRng(1))
    return Arrival(replace(made, candidate_number=number, head_start=favourite), at, took)


#: In order of their arrival; the quickest is not the first.
ARRIVALS = [arrival(1, 1.0, 0.9), arrival(2, 1.05, 0.2), arrival(3, 1.08, 0.5)]


def test_the_first_is_chosen_at_once() -> None:
    policy = FirstReady()
    assert policy.decides_at(ARRIVALS) == 1.0
    assert policy.choose(ARRIVALS) is ARRIVALS[0]
    assert policy.head_start == 1.0


def test_the_quickest_is_chosen_after_a_moment() -> None:
    policy = Collect(window=0.1)
    assert policy.decides_at(ARRIVALS) == pytest.approx(1.1)
    assert policy.choose(ARRIVALS) is ARRIVALS[1]
    assert policy.head_start == 0.0


def test_the_server_used_last_is_preferred_to_a_quicker_one_unless_told_not_to() -> None:
    favourite = arrival(4, 1.09, 3.0, favourite=True)
    assert Collect().choose([*ARRIVALS, favourite]) is favourite
    assert Collect(prefer_favourite=False).choose([*ARRIVALS, favourite]) is ARRIVALS[1]
