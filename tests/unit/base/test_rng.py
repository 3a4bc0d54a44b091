"""Randomness as an argument."""

import pytest

from headrace.base.rng import Rng, SeededRng, SystemRng


@pytest.mark.parametrize("rng", [SystemRng(), SeededRng(1)])
def test_uniform_numbers_are_spread_over_the_whole_range(rng: Rng) -> None:
    numbers = [rng.uniform() for _ in range(400)]
    assert all(0 <= number < 1 for number in numbers)
    assert all(sum(int(number * 4) == quarter for number in numbers) > 50 for quarter in range(4))


def test_the_same_seed_gives_the_same_numbers() -> None:
    assert SeededRng(b"seed").uniform() == SeededRng(b"seed").uniform() != SeededRng(b"other").uniform()
