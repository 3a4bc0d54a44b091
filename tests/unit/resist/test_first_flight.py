"""F4's three observers."""

import random

import pytest

from headrace.base.rng import SeededRng
from headrace.resist.first_flight import (
    Flight,
    Peculiar,
    first_flight,
    opaque,
    peculiar_sizes,
    tell_from_programs,
)


def test_a_flight_is_five_sizes_each_way() -> None:
    assert first_flight([300, -200, -1448, 50, -9]) == (300, 50, 0, 0, 0, 200, 1448, 9, 0, 0)
    assert first_flight([1, 2, 3, 4, 5, 6, -1, -2, -3, -4, -5, -6]) == (1, 2, 3, 4, 5, 1, 2, 3, 4, 5)
    assert first_flight([]) == (0,) * 10


def test_what_is_long_and_random_is_opaque() -> None:
    rng = SeededRng(1)
    assert opaque(rng.bytes(149))
    assert not opaque(rng.bytes(148))
    assert not opaque(b"POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 100\r\n\r\n" * 3)


def flights(*sizes: tuple[int, int], times: int = 1) -> list[Flight]:
    return [first_flight([up, -down]) for up, down in sizes] * times


def test_a_size_that_only_ours_have_is_peculiar() -> None:
    ours = flights(*((100 + i, 500) for i in range(50))) + flights(*((200 + i, 900 + i) for i in range(50)))
    others = flights(*((100 + i, 400 + i) for i in range(200)))
    assert peculiar_sizes(ours, others) == [Peculiar("down", 1, (500,), 0.5, 0.005)]


def test_a_pair_is_peculiar_though_both_its_sizes_are_common() -> None:
    ours = flights((1, 2), times=10) + flights((3, 4), times=10)
    others = flights((1, 4), (3, 2), times=10)
    found = peculiar_sizes(ours, others)
    assert {(p.direction, p.sizes) for p in found} == {("both", (1, 2)), ("both", (3, 4))}


def test_what_others_have_a_fifth_as_often_is_not_peculiar() -> None:
    ours = flights((7, 7), times=100)
    others = flights((7, 7), times=21) + flights((8, 8), times=79)
    assert peculiar_sizes(ours, others) == []


def test_flights_like_those_of_any_program_are_not_told_apart() -> None:
    rng = random.Random(1)

    def some(count: int) -> list[Flight]:
        return [first_flight([rng.randint(100, 900), -rng.randint(200, 1448)]) for _ in range(count)]

    found = tell_from_programs(some(400), {name: some(200) for name in "abcd"}, seed=1)
    low, high = found.interval(0.001)
    assert low < 0.5 < high


def test_flights_unlike_all_programs_are_told_apart() -> None:
    ours = flights((5000, 100), times=100)
    programs = {name: flights((300 + i, 100), times=100) for i, name in enumerate("abc")}
    found = tell_from_programs(ours, programs, seed=1)
    assert (found.auc, found.caught) == (1.0, 1.0)


def test_the_judge_has_not_seen_the_programs_that_it_judges() -> None:
    # Either half's program looks, to who knows only the other half's, like ours.
    ours = flights((500, 100), times=50)
    programs = {"small": flights((499, 100), times=50), "large": flights((10, 100), times=50)}
    assert tell_from_programs(ours, programs, seed=1).auc < 1.0


def test_one_program_is_not_enough() -> None:
    with pytest.raises(ValueError, match="both sides"):
        tell_from_programs(flights((1, 1), times=9), {"curl": flights((1, 1), times=9)}, seed=1)
