"""The learner tells apart what differs, and nothing else."""

import numpy as np
import pytest

from headrace.resist.learner import caught_at, separation_by_fold, separation_on

RNG = np.random.default_rng(1)


def test_what_is_alike_is_not_told_apart() -> None:
    found = separation_by_fold(RNG.normal(size=(400, 4)), RNG.normal(size=(400, 4)), seed=1)
    low, high = found.interval(0.001)
    assert low < 0.5 < high
    assert found.caught < 0.05


def test_what_differs_is_told_apart() -> None:
    found = separation_by_fold(RNG.normal(3.0, 1.0, size=(400, 4)), RNG.normal(size=(400, 4)), seed=1)
    assert found.auc > 0.99
    assert found.caught > 0.8


def test_what_was_learned_is_judged_on_the_other_part_alone() -> None:
    # The first half teaches that 1 is ours, in the second 0 is.
    kinds = np.array([1] * 50 + [0] * 50 + [0] * 50 + [1] * 50)
    features = np.array([[1.0]] * 50 + [[0.0]] * 50 + [[1.0]] * 50 + [[0.0]] * 50)
    halves = (np.arange(100), np.arange(100, 200))
    assert separation_on(features, kinds, [halves], seed=1).auc == 0.0


@pytest.mark.parametrize(("share", "caught"), [(0.0, 0.25), (0.2, 0.5), (0.5, 0.75)])
def test_the_threshold_leaves_so_many_of_the_others_above_it(share: float, caught: float) -> None:
    others = np.arange(10.0)
    assert caught_at(np.array([3.0, 5.5, 7.5, 9.5]), others, share) == caught


def test_ties_with_innocent_flows_are_not_caught() -> None:
    assert caught_at(np.array([1.0, 1.0]), np.array([1.0, 1.0, 0.0])) == 0.0
