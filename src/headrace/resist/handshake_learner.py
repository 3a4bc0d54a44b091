"""F5 by an observer that learns: trees over six bursts, the four of a handshake and the two before it.

It is shown tunnels in which somebody speaks TLS, and as innocent flows both ordinary ones and tunnels in
which nobody does: what it learns is the handshake, not our tunnel. Nobody tells it where in a flow the
handshake is: it begins with the window of each that is nearest to a model, and then twice takes the one that
convinces it most. A flow is as suspect as its most suspect window.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from headrace.resist.encapsulated import FAR, HELLO_SEGMENTS, Model
from headrace.resist.shapes import bursts

__all__ = ["HandshakeLearner", "windows_in_context"]

#: Bursts before the handshake that are looked at, too.
BEFORE: Final = 2
#: How often the windows are chosen anew.
ROUNDS: Final = 2
#: Windows of an innocent flow to learn from, and of any flow to judge.
LEARNED: Final = 20
JUDGED: Final = 200

_Rows = NDArray[np.float64]


def windows_in_context(sizes: Sequence[int]) -> _Rows:
    """Return a row for each four bursts that may be a handshake.

    It has the sizes of the two bursts before them, their own, and how many segments they have.
    """
    found = bursts(sizes)
    rows = []
    for start, burst in enumerate(found[:-3]):
        if burst.upstream and burst.segments <= HELLO_SEGMENTS:
            before = [found[start - i].size if start >= i else 0 for i in range(BEFORE, 0, -1)]
            four = found[start : start + 4]
            rows.append([*before, *(burst.size for burst in four), *(burst.segments for burst in four)])
            if len(rows) == JUDGED:
                break
    return np.array(rows, float).reshape(-1, BEFORE + 8)


class HandshakeLearner:
    """Learns from flows, given by their signed sizes, and judges others."""

    def __init__(self, models: Sequence[Model], *, seed: int) -> None:
        self._models = models
        self._seed = seed
        self._trees: Any = None

    def learn(self, guilty: Sequence[Sequence[int]], innocent: Sequence[Sequence[int]]) -> None:
        """Learn from flows in which there is a handshake, and others."""
        candidates = [rows for rows in map(windows_in_context, guilty) if len(rows)]
        others = np.concatenate([windows_in_context(sizes)[:LEARNED] for sizes in innocent])
        chosen = [rows[np.argmin(self._nearness(rows))] for rows in candidates]
        for _ in range(1 + ROUNDS if candidates else 0):
            self._fit(np.array(chosen), others)
            chosen = [rows[np.argmax(self._suspicion(rows))] for rows in candidates]

    def suspicion(self, flows: Sequence[Sequence[int]]) -> _Rows:
        """Return how suspect each flow is, 0 to 1."""
        windows = [windows_in_context(sizes) for sizes in flows]
        scores = self._suspicion(np.concatenate(windows)) if windows else np.zeros(0)
        ends = np.cumsum([len(rows) for rows in windows])
        parts = np.split(scores, ends[:-1]) if len(windows) else []
        return np.array([part.max() if len(part) else 0.0 for part in parts])

    def _nearness(self, rows: _Rows) -> _Rows:
        four = rows[:, BEFORE : BEFORE + 4]
        return np.asarray(
            np.min([np.full(len(four), FAR), *(m.nearness(four) for m in self._models)], axis=0)
        )

    def _fit(self, chosen: _Rows, others: _Rows) -> None:
        trees = HistGradientBoostingClassifier(max_iter=100, random_state=self._seed, early_stopping=False)
        kinds = np.repeat([1, 0], [len(chosen), len(others)])
        with threadpool_limits(1):
            self._trees = trees.fit(np.concatenate([chosen, others]), kinds)

    def _suspicion(self, rows: _Rows) -> NDArray[Any]:
        if self._trees is None or not len(rows):
            return np.zeros(len(rows))
        with threadpool_limits(1):
            return np.asarray(self._trees.predict_proba(rows)[:, 1])
