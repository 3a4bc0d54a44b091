"""An observer that learns: gradient-boosted trees, told how well they separate flows they have not seen.

What counts is not how often they are right, since what they look for is rare, but the area under the curve
(AUC: one half is chance) and how much is caught while one in a thousand innocent flows is flagged.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import sklearn
from numpy.typing import NDArray
from scipy import stats
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

__all__ = [
    "FALSE_POSITIVES",
    "LEARNER_VERSION",
    "Separation",
    "caught_at",
    "separation_by_fold",
    "separation_on",
]

LEARNER_VERSION: Final = f"scikit-learn {sklearn.__version__}"

#: The share of innocent flows that an observer can afford to flag.
FALSE_POSITIVES: Final = 0.001

_Features = NDArray[Any]
_Fold = tuple[NDArray[np.intp], NDArray[np.intp]]


@dataclass(frozen=True, slots=True)
class Separation:
    """How well two kinds are told apart: area under the curve, and its standard error if there is no telling.

    `caught` is the share of ours that is flagged together with one innocent flow in a thousand.
    """

    auc: float
    error: float
    caught: float

    def interval(self, level: float) -> tuple[float, float]:
        """Return the bounds between which the AUC is, but for a share of `level`."""
        reach = float(stats.norm.isf(level / 2)) * self.error
        return self.auc - reach, self.auc + reach


def separation_by_fold(ours: _Features, others: _Features, *, seed: int, folds: int = 5) -> Separation:
    """Cross-validate: each fifth of both kinds is judged by what was learned from the other four."""
    kinds = np.repeat([1, 0], [len(ours), len(others)])
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    return separation_on(np.concatenate([ours, others]), kinds, splitter.split(kinds, kinds), seed=seed)


def separation_on(
    features: _Features, kinds: NDArray[Any], folds: Iterable[_Fold], *, seed: int
) -> Separation:
    """Learn from each fold's first part and judge its second; `kinds` is 1 for ours, 0 for others."""
    areas, variances, caught = [], [], []
    for known, unknown in folds:
        scores = _scores(features[known], kinds[known], features[unknown], seed)
        ours, others = scores[kinds[unknown] == 1], scores[kinds[unknown] == 0]
        areas.append(float(roc_auc_score(kinds[unknown], scores)))
        variances.append((len(ours) + len(others) + 1) / (12 * len(ours) * len(others)))
        caught.append(caught_at(ours, others))
    error = float(np.sqrt(np.sum(variances))) / len(areas)
    return Separation(float(np.mean(areas)), error, float(np.mean(caught)))


def _scores(known: _Features, kinds: NDArray[Any], unknown: _Features, seed: int) -> NDArray[np.float64]:
    trees = HistGradientBoostingClassifier(max_iter=50, random_state=seed, early_stopping=False)
    with threadpool_limits(1):  # the result is the same on every machine, however busy it is
        return np.asarray(trees.fit(known, kinds).predict_proba(unknown)[:, 1])


def caught_at(ours: NDArray[Any], others: NDArray[Any], false_positives: float = FALSE_POSITIVES) -> float:
    """Return the share of ours whose score is above that of all but `false_positives` of the others."""
    limit = np.sort(others)[::-1][int(len(others) * false_positives)]
    return float(np.mean(ours > limit))
