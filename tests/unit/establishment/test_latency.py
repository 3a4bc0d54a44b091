"""How patient to be with a dial."""

import random

import pytest

from headrace.base.rng import Rng, SeededRng
from headrace.establishment.latency import LEAST, MOST, draw_multiplier


class At(Rng):
    """Draws one number, which is uniform nowhere."""

    def __init__(self, portion: float) -> None:
        self.portion = portion

    def uniform(self) -> float:
        return self.portion

    def bytes(self, count: int) -> bytes:
        raise AssertionError

    def between(self, low: int, high: int) -> int:
        raise AssertionError

    def chance(self, probability: float) -> bool:
        raise AssertionError


def redrawn(source: random.Random, steepness: float) -> float:
    """The field's way: from the exponential distribution, again until it fits."""
    while (drawn := LEAST + source.expovariate(steepness) * 2) > MOST:
        pass
    return drawn


@pytest.mark.parametrize("steepness", [0.1, 1.0, 2.0, 8.0])
def test_it_is_distributed_as_drawing_again_until_it_fits(steepness: float) -> None:
    count = 20_000
    ours = sorted(draw_multiplier(SeededRng(b"ours %d" % number), steepness) for number in range(count))
    source = random.Random(2)
    theirs = sorted(redrawn(source, steepness) for _ in range(count))
    farthest = max(abs(ours[place] - theirs[place]) for place in range(100, count - 100, 100))
    assert farthest < 0.06


@pytest.mark.parametrize("steepness", [-1.0, 0.0, 1e-300, 1e-12, 0.1, 2.0, 50.0, 1e6, 1e308])
@pytest.mark.parametrize("portion", [0.0, 0.5, 1 - 2**-53])
def test_whatever_the_steepness_it_is_within_its_bounds(steepness: float, portion: float) -> None:
    assert LEAST <= draw_multiplier(At(portion), steepness) <= MOST


def test_most_dials_are_about_as_patient_as_usual_and_slow_networks_have_all_kinds() -> None:
    usual = [draw_multiplier(SeededRng(number)) for number in range(1000)]
    slow = [draw_multiplier(SeededRng(number), 0.1) for number in range(1000)]
    assert sum(factor < 1.7 for factor in usual) > 500
    assert 440 < sum(factor < 2 for factor in slow) < 560
    assert draw_multiplier(At(0.0)) == LEAST
