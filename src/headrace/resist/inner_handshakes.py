"""F5 measured: pages loaded through our tunnels, and who notices that there is TLS inside.

Three observers of `encapsulated` and `handshake_learner`: the published one, one that looks at all of a flow,
and one that learns. Each is told what share of ordinary flows it may flag, and says how many of the tunnels
with TLS inside it flags then. Each must first notice direct handshakes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from headrace.resist.corpus import Corpus, Sizes
from headrace.resist.encapsulated import FIRST_SEGMENTS, SSH_ADDS, Caught, compare, fit_models, nearness
from headrace.resist.handshake_learner import HandshakeLearner
from headrace.resist.learner import FALSE_POSITIVES, LEARNER_VERSION
from headrace.resist.report import Row

__all__ = ["Background", "handshake_rows"]

#: The share of our tunnels that may be caught at one false alarm in a thousand.
CAUGHT_LIMIT: Final = 0.05

_Nearness = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Background:
    """What the observers know: ordinary flows, direct handshakes by kind, and tunnels without TLS inside."""

    ordinary: Sequence[Sizes]
    handshakes: Corpus
    tunnels: Sequence[Sizes]

    @property
    def direct(self) -> list[Sizes]:
        return [sizes for flows in self.handshakes.values() for sizes in flows]


def handshake_rows(subject: str, flows: Sequence[Sizes], background: Background, seed: int) -> list[Row]:
    """Return a row for each observer of tunnels with TLS inside, given by the sizes of their segments."""
    models = fit_models(background.handshakes)
    knowing = models + fit_models(background.handshakes, SSH_ADDS)
    ordinary, direct = background.ordinary, background.direct
    rows = []
    for name, chosen, first in (("published", models, FIRST_SEGMENTS), ("anywhere", knowing, None)):
        others = nearness(ordinary, chosen, first)
        control = compare(nearness(direct, chosen, first), others)
        found = compare(nearness(flows, chosen, first), others)
        rows.append(_row(name, subject, len(flows), found, control, "rule", seed))
    learned = _learned(flows, background, knowing, seed)
    control = _learned(direct, background, models, seed)
    rows.append(_row("learned", subject, len(flows), learned, control, LEARNER_VERSION, seed))
    return rows


def _learned(flows: Sequence[Sizes], background: Background, models: list[Any], seed: int) -> Caught:
    """Learn from a half of everything and judge the other, and the other way round."""
    chance = np.random.default_rng(seed)
    guilty = _halves(flows, chance)
    ordinary = _halves(background.ordinary, chance)
    ours, others = [], []
    for known, judged in ((0, 1), (1, 0)):
        learner = HandshakeLearner(models, seed=seed)
        learner.learn(guilty[known], [*ordinary[known], *background.tunnels])
        ours.append(learner.suspicion(guilty[judged]))
        others.append(learner.suspicion(ordinary[judged]))
    return compare(-np.concatenate(ours), -np.concatenate(others))


def _halves(flows: Sequence[Sizes], chance: np.random.Generator) -> tuple[list[Sizes], list[Sizes]]:
    order = chance.permutation(len(flows))
    return [flows[i] for i in order[::2]], [flows[i] for i in order[1::2]]


def _row(
    name: str, subject: str, sample: int, found: Caught, control: Caught, version: str, seed: int
) -> Row:
    told = f"; the published limit flags {found.flagged:.1%} (others {found.falsely:.1%})"
    return Row(
        detector=f"F5 {name}",
        subject=subject,
        sample=sample,
        hits=round(found.caught * sample),
        bar=f"{CAUGHT_LIMIT:.0%} caught at {FALSE_POSITIVES:.1%}",
        met=found.caught <= CAUGHT_LIMIT,
        control=f"direct TLS: AUC {control.auc:.3f}, {control.caught:.1%} caught",
        control_ok=control.auc > 0.8,
        version=version,
        seed=seed,
        note=f"AUC {found.auc:.3f}" + ("" if name == "learned" else told),
    )
