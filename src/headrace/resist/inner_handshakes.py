"""F5 measured: pages loaded through our tunnels, and who notices that there is TLS inside.

Three observers, of `encapsulated` and `handshake_learner`: the published one and one that looks for
handshakes in all of a flow, both with the published limit, and one that learns, and may flag a thousandth of
ordinary flows. Each must first notice most direct handshakes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from headrace.base.errors import OperatorError
from headrace.base.rng import Rng
from headrace.resist.capture import capture
from headrace.resist.corpus import KEPT_SEGMENTS, Reference, Sizes, Tell
from headrace.resist.encapsulated import (
    FIRST_SEGMENTS,
    SSH_ADDS,
    Caught,
    Model,
    compare,
    fit_models,
    nearness,
)
from headrace.resist.handshake_learner import HandshakeLearner
from headrace.resist.headers import HEADERS, read_sizes
from headrace.resist.learner import FALSE_POSITIVES, LEARNER_VERSION, caught_at
from headrace.resist.page_loads import PageLoads
from headrace.resist.report import Row
from headrace.resist.shapes import on_ethernet
from headrace.resist.subjects import OurServer
from headrace.resist.websites import running_websites

__all__ = ["PageFlows", "handshake_rows", "load_pages", "page_rows"]

#: How many streams a page has that has several, and how many pages are captured together.
SEVERAL: Final = 3
BATCH: Final = 250

#: The share of our tunnels that may be caught at one false alarm in a thousand.
CAUGHT_LIMIT: Final = 0.05

#: The share of direct handshakes that an observer must notice.
CONTROL: Final = 0.5


@dataclass(frozen=True, slots=True)
class PageFlows:
    """Tunnels in which pages were loaded: over TLS by one stream or by several, and without TLS.

    `wanted` is how many of each kind there ought to be.
    """

    wanted: int
    single: list[Sizes]
    several: list[Sizes]
    plain: list[Sizes]


async def load_pages(
    server: OurServer, mode: str, count: int, directory: Path, rng: Rng, tell: Tell, *, shaped: bool
) -> PageFlows:
    """Load `count` pages of each kind through tunnels of their own. Raises OperatorError."""
    kinds = {"single": (True, 1), "several": (True, SEVERAL), "plain": (False, SEVERAL)}
    flows: dict[str, list[Sizes]] = {kind: [] for kind in kinds}
    async with running_websites(1) as websites:
        for kind, (tls, streams) in kinds.items():
            clients = PageLoads(server, mode, rng, websites, shaped=shaped, tls=tls, streams=streams)
            for first in range(0, count, BATCH):
                tell(f"pages, {mode}, {kind}", first, count)
                file = directory / "pages.pcap"
                async with capture(file, [server.port], kept=HEADERS):
                    await clients.connect(min(BATCH, count - first), lambda: None)
                both_ways = (
                    flow.sizes for flow in read_sizes(file, [server.port]) if min(flow.sizes, default=0) < 0
                )
                flows[kind] += [on_ethernet(sizes)[:KEPT_SEGMENTS] for sizes in both_ways]
                file.unlink()
            if not flows[kind]:
                raise OperatorError(f"none of {count} tunnels with pages is in the capture")
    return PageFlows(count, **flows)


def page_rows(subject: str, pages: PageFlows, reference: Reference, seed: int) -> list[Row]:
    """Return the rows of all observers, for pages of one stream and of several."""
    kinds = {subject: pages.single, f"{subject}, {SEVERAL} streams": pages.several}
    return [
        replace(row, missing=max(0, pages.wanted - len(flows)))
        for name, flows in kinds.items()
        for row in handshake_rows(name, flows, pages.plain, reference, seed)
    ]


def handshake_rows(
    subject: str, flows: Sequence[Sizes], plain: Sequence[Sizes], reference: Reference, seed: int
) -> list[Row]:
    """Return a row for each observer of tunnels with TLS inside; the `plain` ones have none."""
    models = fit_models(reference.handshakes)
    knowing = models + fit_models(reference.handshakes, SSH_ADDS)
    return [
        _within_limit("published", subject, flows, plain, reference, models, FIRST_SEGMENTS, seed),
        _within_limit("anywhere", subject, flows, plain, reference, knowing, None, seed),
        _learned(subject, flows, plain, reference, knowing, seed),
    ]


def _within_limit(
    name: str,
    subject: str,
    flows: Sequence[Sizes],
    plain: Sequence[Sizes],
    reference: Reference,
    models: Sequence[Model],
    segments: int | None,
    seed: int,
) -> Row:
    """Return the row of an observer who flags what is within the published limit."""
    ordinary = nearness(reference.ordinary_flows, models, segments)
    found = compare(nearness(flows, models, segments), ordinary)
    without = compare(nearness(plain, models, segments), ordinary)
    control = compare(nearness(reference.direct, models, segments), ordinary)
    return Row(
        detector=f"F5 {name}",
        subject=subject,
        sample=len(flows),
        hits=round(found.flagged * len(flows)),
        bar="twice the share of ordinary flows",
        met=found.flagged <= 2 * found.falsely,
        control=f"direct TLS: {control.flagged:.1%} flagged",
        control_ok=control.flagged > CONTROL,
        version="rule",
        seed=seed,
        note=f"ordinary flows {found.falsely:.1%}, tunnels without TLS {without.flagged:.1%}; "
        f"AUC {found.auc:.3f}; {found.caught:.1%} at {FALSE_POSITIVES:.1%} false alarms "
        f"(direct TLS {control.caught:.1%})",
    )


def _learned(
    subject: str,
    flows: Sequence[Sizes],
    plain: Sequence[Sizes],
    reference: Reference,
    models: Sequence[Model],
    seed: int,
) -> Row:
    """Return the row of an observer that learns, and may flag a thousandth of ordinary flows."""
    ordinary = reference.ordinary_flows
    found, without = _learn(flows, plain, ordinary, models, seed)
    control, _ = _learn(reference.direct, [], ordinary, models, seed)
    return Row(
        detector="F5 learned",
        subject=subject,
        sample=len(flows),
        hits=round(found.caught * len(flows)),
        bar=f"{CAUGHT_LIMIT:.0%} at {FALSE_POSITIVES:.1%} false alarms",
        met=found.caught <= CAUGHT_LIMIT,
        control=f"direct TLS: {control.caught:.1%} caught",
        control_ok=control.caught > CONTROL,
        version=LEARNER_VERSION,
        seed=seed,
        note=f"tunnels without TLS {without:.1%}; AUC {found.auc:.3f}",
    )


def _learn(
    flows: Sequence[Sizes],
    plain: Sequence[Sizes],
    ordinary: Sequence[Sizes],
    models: Sequence[Model],
    seed: int,
) -> tuple[Caught, float]:
    """Learn from a half of everything and judge the other, then the other way round.

    Returns what is caught of `flows`, and the share of the `plain` ones.
    """
    chance = np.random.default_rng(seed)
    halves = [_halves(each, chance) for each in (flows, plain, ordinary)]
    suspicion: list[list[NDArray[Any]]] = [[], [], []]
    for known, judged in ((0, 1), (1, 0)):
        guilty, *innocent = (half[known] for half in halves)
        learner = HandshakeLearner(models, seed=seed)
        learner.learn(guilty, [sizes for some in innocent for sizes in some])
        for found, half in zip(suspicion, halves, strict=True):
            found.append(learner.suspicion(half[judged]))
    ours, without, others = map(np.concatenate, suspicion)
    return compare(-ours, -others), caught_at(without, others) if len(without) else 0.0


def _halves(flows: Sequence[Sizes], chance: np.random.Generator) -> tuple[list[Sizes], list[Sizes]]:
    order = chance.permutation(len(flows))
    return [flows[i] for i in order[::2]], [flows[i] for i in order[1::2]]
