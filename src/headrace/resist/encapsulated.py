"""F5: a TLS handshake inside a tunnel, by the sizes of four bursts: there, back, there, back.

Where a tunnel adds little to each message, the bursts of a handshake inside it are nearly those of a direct
one. The observer takes every four consecutive bursts that begin with the client's, the first of at most three
segments, and flags a flow if their sizes are near to a model of TLS: by Mahalanobis distance, below a limit.
Means are published ones; covariances are of direct handshakes seen here. Two observers: the published one
looks at the first 25 segments of a flow, the stronger one at all of it, and knows what SSH adds to a burst.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from headrace.resist.learner import caught_at
from headrace.resist.shapes import bursts

__all__ = [
    "FIRST_SEGMENTS",
    "PUBLISHED",
    "SSH_ADDS",
    "Caught",
    "Model",
    "compare",
    "fit_models",
    "nearness",
    "windows",
]

#: The published observer looks at so many segments of a flow.
FIRST_SEGMENTS: Final = 25

#: A ClientHello's burst has at most so many segments.
HELLO_SEGMENTS: Final = 3

#: A spread can be told from so many handshakes.
ENOUGH: Final = 20

#: A burst so many times as long as is usual is more than a handshake.
USUAL: Final = 4

#: What a port forward's data message adds to a burst, with ChaCha20-Poly1305 and the least padding.
SSH_ADDS: Final = 36

#: Distance of a flow in which there are no four bursts that could be a handshake, in limits.
FAR: Final = 1e6

_Vectors = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Published:
    """What is published of a kind of handshake: its bursts' mean sizes, the first one's least, the limit."""

    mean: tuple[float, float, float, float]
    least: int
    limit: float


#: Xue et al., USENIX Security 2024.
PUBLISHED: Final = {
    "TLS 1.2": Published((213, 4515, 108, 308), 0, 3.5),
    "TLS 1.3": Published((641, 4649, 448, 1094), 517, 3.0),
    "TLS 1.3 with ML-KEM": Published((1850, 4903, 785, 1051), 517, 3.0),
}


@dataclass(frozen=True, slots=True)
class Model:
    """Handshakes of one kind: mean sizes, inverse covariance, the first burst's least size, the limit."""

    mean: _Vectors
    precision: _Vectors
    least: int
    limit: float

    def nearness(self, vectors: _Vectors) -> _Vectors:
        """Return the distances of the rows in limits: what is below 1 is flagged."""
        away = vectors - self.mean
        distances = np.sqrt(np.einsum("ij,jk,ik->i", away, self.precision, away))
        return np.where(vectors[:, 0] >= self.least, distances / self.limit, FAR)


@dataclass(frozen=True, slots=True)
class Caught:
    """Two kinds of flows by their distances: the area under the curve, and the share of ours that is caught.

    `flagged` and `falsely` are the shares of ours and of the others within the published limits; `caught` is
    the share of ours when the limit is one that flags a thousandth of the others.
    """

    auc: float
    caught: float
    flagged: float
    falsely: float


def windows(sizes: Sequence[int], segments: int | None = None) -> _Vectors:
    """Return the sizes of every four bursts that may be a handshake, a row each, in the first `segments`."""
    found = bursts(sizes[:segments])
    starts = [i for i, burst in enumerate(found[:-3]) if burst.upstream and burst.segments <= HELLO_SEGMENTS]
    rows = [[found[i + j].size for j in range(4)] for i in starts]
    return np.array(rows, float).reshape(-1, 4)


def fit_models(handshakes: Mapping[str, Sequence[Sequence[int]]], more: int = 0) -> list[Model]:
    """Return models of direct flows by kind, each a key of PUBLISHED, from the spread of their first bursts.

    `more` is what the observer knows the tunnel to add to a burst. Handshakes whose last burst runs on into a
    long answer would make everything near, and are left out; so is a kind of which too few were seen.
    """
    models = []
    for kind, flows in handshakes.items():
        first = np.concatenate([np.empty((0, 4)), *(windows(sizes, FIRST_SEGMENTS)[:1] for sizes in flows)])
        if len(first) < ENOUGH:
            continue
        first = first[(first <= USUAL * np.median(first, axis=0)).all(axis=1)]
        precision = np.linalg.pinv(np.cov(first, rowvar=False))
        published = PUBLISHED[kind]
        models.append(Model(np.array(published.mean) + more, precision, published.least, published.limit))
    return models


def nearness(
    flows: Iterable[Sequence[int]], models: Sequence[Model], segments: int | None = None
) -> _Vectors:
    """Return how near each flow comes to a handshake of any model, in limits."""
    found = []
    for sizes in flows:
        vectors = windows(sizes, segments)
        found.append(
            min((float(model.nearness(vectors).min()) for model in models), default=FAR)
            if len(vectors)
            else FAR
        )
    return np.array(found)


def compare(ours: NDArray[Any], others: NDArray[Any]) -> Caught:
    """Compare the nearness of two kinds of flows."""
    kinds = np.repeat([1, 0], [len(ours), len(others)])
    auc = float(roc_auc_score(kinds, -np.concatenate([ours, others])))
    return Caught(auc, caught_at(-ours, -others), float(np.mean(ours < 1)), float(np.mean(others < 1)))
