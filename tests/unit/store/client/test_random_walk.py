"""The order in which entries are tried: each once, uniformly shuffled, cheaply begun."""

from collections import Counter
from itertools import permutations

import pytest

from headrace.base.rng import Rng, SeededRng
from headrace.store.client.random_walk import RandomWalk, Shuffle


def drawn(shuffle: Shuffle) -> list[int]:
    return list(iter(shuffle.draw, None))


@pytest.mark.parametrize("count", [0, 1, 2, 7, 1000])
def test_every_number_once(count: int) -> None:
    assert sorted(drawn(Shuffle(count, SeededRng(count)))) == list(range(count))


def chi_square(counts: Counter[tuple[str, ...]], possible: int) -> float:
    expected = counts.total() / possible
    return sum((counts[one] - expected) ** 2 / expected for one in counts) + expected * (
        possible - len(counts)
    )


def test_all_orders_are_as_likely() -> None:
    rng = SeededRng("orders")
    counts = Counter(tuple(map(str, drawn(Shuffle(4, rng)))) for _ in range(24_000))
    assert chi_square(counts, 24) < 49.7  # 23 degrees of freedom, 0.1 %


class Town:
    """Some ids with somebody behind them."""

    def __init__(self, limit: int, ids: set[int]) -> None:
        self.limit = limit
        self.ids = ids
        self.looked = 0
        self.listed = 0

    def look(self, identity: int) -> str | None:
        self.looked += 1
        return f"house {identity}" if identity in self.ids else None

    def remaining(self) -> list[int]:
        self.listed += 1
        return sorted(self.ids)

    def walk(self, rng: Rng) -> RandomWalk:
        return RandomWalk(self.limit, rng, self.look, self.remaining)


def test_the_first_costs_one_look() -> None:
    town = Town(10**9, set())
    town.ids = set(range(1, 1000))
    town.limit = 999
    walk = town.walk(SeededRng(1))
    assert walk.next_address() is not None
    assert (town.looked, town.listed) == (1, 0)


@pytest.mark.parametrize(
    ("limit", "ids"),
    [
        (0, set()),
        (10, {3, 4, 9}),
        (10**15, {1, 2, 3}),
        (100_000, set(range(1, 100_000, 100))),
        (1000, set()),
    ],
    ids=["none", "holes", "an id out of all proportion", "few among many", "all gone"],
)
def test_everybody_is_met_once(limit: int, ids: set[int]) -> None:
    town = Town(limit, ids)
    walk = town.walk(SeededRng(2))
    met = list(iter(walk.next_address, None))
    assert sorted(met) == sorted(f"house {identity}" for identity in ids)
    assert town.listed <= 1
    assert town.looked < 501 * (len(ids) + 1)
    assert walk.next_address() is None


def test_who_is_gone_meanwhile_is_passed_over() -> None:
    town = Town(100, set(range(1, 101)))
    walk = town.walk(SeededRng(3))
    met = {walk.next_address() for _ in range(50)}
    town.ids = set()
    assert len(met) == 50
    assert walk.next_address() is None


def test_the_order_is_uniform_across_the_change_to_a_list() -> None:
    ids = {100, 5_000, 9_000}
    rng = SeededRng("change")
    counts: Counter[tuple[str, ...]] = Counter()
    listed = 0
    for _ in range(1200):
        town = Town(10_000, ids)
        walk = town.walk(rng)
        counts[tuple(address for address in iter(walk.next_address, None))] += 1
        listed += town.listed
    assert listed == 1200
    assert len(counts) == len(list(permutations(ids)))
    assert chi_square(counts, 6) < 20.5  # 5 degrees of freedom, 0.1 %
