"""Who is tried first."""

from typing import Any

from headrace.base.rng import SeededRng
from headrace.establishment.dial_settings import DialSettings
from headrace.establishment.order import front

RECENT = ["b", "c", "a", "d"]


def order(favourite: str = "a", seed: int = 1, *, first_round: bool = True, **settings: Any) -> list[str]:
    return front(favourite, RECENT, SeededRng(seed), DialSettings(**settings), first_round=first_round)


def test_the_server_used_last_is_followed_by_those_that_worked_in_any_order() -> None:
    seen = {tuple(order(seed=seed)) for seed in range(100)}
    assert {head for head, *_ in seen} == {"a"}
    assert {tuple(sorted(rest)) for _, *rest in seen} == {("b", "c", "d")}
    assert len(seen) == 6


def test_one_without_a_record_is_first_all_the_same() -> None:
    found = order("z")
    assert found[0] == "z"
    assert sorted(found[1:]) == sorted(RECENT)


def test_nobody_was_used_last() -> None:
    assert sorted(order("")) == sorted(RECENT)


def test_later_rounds_are_for_the_others_unless_chance_has_it() -> None:
    assert order(first_round=False) == []
    later = order(first_round=False, replay_later_round_probability=1.0)
    assert sorted(later) == ["b", "c", "d"]
    assert later != ["a", *later]


def test_how_many_are_moved_may_be_limited() -> None:
    found = {tuple(order(seed=seed, max_moved_to_front=1)) for seed in range(50)}
    assert found == {("a", "b"), ("a", "c"), ("a", "d")}
    assert order(max_moved_to_front=0) == ["a"]
