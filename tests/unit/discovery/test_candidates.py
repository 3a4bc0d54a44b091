"""Whose time it is, and until when."""

import math

from headrace.discovery.candidates import Candidates
from headrace.discovery.servers import DiscoveryServer

A, B, C = (
    DiscoveryServer(*span, name, "") for span, name in (((10, 20), "a"), ((15, 30), "b"), ((5, 10), "c"))
)


def test_ranges_are_half_open_and_the_order_is_kept() -> None:
    assert Candidates([C, B, A], 10).servers == (A,)
    assert Candidates([B, A], 15).servers == (B, A)
    assert Candidates([A, B], 20).servers == (B,)
    assert Candidates([A, B], 30).servers == ()


def test_they_are_good_until_the_next_start_or_end() -> None:
    candidates = Candidates([A, B, C], 11)
    assert candidates.until == 15
    assert candidates.valid_at(11)
    assert candidates.valid_at(14.9)
    assert not candidates.valid_at(15)
    assert not candidates.valid_at(10.9), "the clock was set back"
    assert Candidates([A, B], 30).until == math.inf
