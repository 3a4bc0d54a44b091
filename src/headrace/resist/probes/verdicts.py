"""What the results of probes say of a server: whether anything it does depends on what a stranger sends.

The times are compared across classes with the k-sample Anderson-Darling test (Scholz and Stephens, 1987), and
across lengths with a regression discontinuity at each of them: a straight line through the times of probes
just shorter and just longer, with a step in it. The step's p-value, times the number of lengths, counts.
"""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy
from scipy import stats

from headrace.resist.probes.kinds import TIMED
from headrace.resist.probes.probe import Ending, ProbeResult, Then
from headrace.resist.report import Row

__all__ = ["ALPHA", "VERSION", "Step", "gave_itself_away", "rows", "same_times", "step_in_times"]

#: Of the rules here.
VERSION: Final = "1"
#: Significance below which times differ.
ALPHA: Final = 0.01
#: Probes to either side of a length that are looked at, and the fewest that say something.
_WINDOW: Final = 100
_LEAST: Final = 15
#: Seconds that nobody can tell apart.
_RESOLUTION: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Step:
    """Where times change most clearly as probes grow longer, and how clearly, corrected for the search."""

    length: int
    p: float


def gave_itself_away(result: ProbeResult) -> bool:
    """Say whether a stranger heard something, or saw another end than FIN."""
    probe = result.probe
    heard = result.bytes_received > 0 and not probe.knows
    return heard or (result.ending is not Ending.FIN and probe.then is not Then.RESET)


def same_times(results: Iterable[ProbeResult]) -> float:
    """Return the p-value of equal close times in all classes that wait for one.

    It lies within 0.001 and 0.25; 1 where there are not two classes.
    """
    groups: dict[str, list[float]] = {}
    for result in results:
        if result.kind in TIMED:
            groups.setdefault(result.kind, []).append(result.seconds)
    if len(groups) < 2:
        return 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that the value is at one of the table's ends
        return float(stats.anderson_ksamp([np.array(times) for times in groups.values()]).pvalue)


def step_in_times(results: Iterable[ProbeResult]) -> Step:
    """Look for a length at which the time to the end changes, among random probes.

    It is 0 where there are too few of them.
    """
    of_random = sorted((result.probe.size, result.seconds) for result in results if result.kind == "P1")
    sizes = np.array([size for size, _ in of_random])
    times = np.array([seconds for _, seconds in of_random])
    cuts = [
        (cut, size)
        for size in np.unique(sizes)
        if _LEAST <= (cut := int(np.searchsorted(sizes, size))) <= len(sizes) - _LEAST
    ]
    steps = [Step(int(size), _step(sizes, times, cut)) for cut, size in cuts]
    if not steps:
        return Step(0, 1.0)
    clearest = min(steps, key=lambda step: step.p)
    return Step(clearest.length, min(1.0, clearest.p * len(steps)))


def _step(
    sizes: "np.ndarray[tuple[int], np.dtype[np.int64]]",
    times: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    cut: int,
) -> float:
    """Return the p-value of a step in the times between the probes before and after `cut`."""
    near = slice(max(0, cut - _WINDOW), cut + _WINDOW)
    place = np.log(sizes[near])
    beyond = (np.arange(len(sizes))[near] >= cut).astype(float)
    design = np.column_stack([np.ones_like(place), place - np.log(sizes[cut]), beyond])
    fit, _, rank, _ = np.linalg.lstsq(design, times[near], rcond=None)
    free = len(place) - int(rank)
    errors = times[near] - design @ fit
    variance = float(errors @ errors) / free * np.linalg.pinv(design.T @ design)[2, 2]
    return float(2 * stats.t.sf(abs(fit[2]) / max(np.sqrt(variance), _RESOLUTION), free))


def rows(
    results: Sequence[ProbeResult],
    *,
    subject: str = "ours",
    control: Sequence[ProbeResult] = (),
    seed: int = 0,
) -> list[Row]:
    """Return what is to be told of these results; `control` are those of a server that gives itself away."""
    kinds = sorted({result.kind for result in results})
    table = [_silence(kind, results, control, subject, seed) for kind in kinds]
    waited = [result for result in results if result.kind in TIMED]
    if len({result.kind for result in waited}) > 1:
        p, flagged = same_times(results), same_times(control)
        found = f"p = {p:.3g}"
        table.append(_times("P times", subject, len(waited), found, p, f"p = {flagged:.3g}", flagged, seed))
    if "P1" in kinds:
        step, flag = step_in_times(results), step_in_times(control)
        sample = sum(result.kind == "P1" for result in results) if step.length else 0
        found, shown = (f"p = {each.p:.3g} at {each.length} bytes" for each in (step, flag))
        table.append(_times("P1 lengths", subject, sample, found, step.p, shown, flag.p, seed))
    return table


def _silence(
    kind: str, results: Sequence[ProbeResult], control: Sequence[ProbeResult], subject: str, seed: int
) -> Row:
    of_kind = [result for result in results if result.kind == kind]
    hits = [result for result in of_kind if gave_itself_away(result)]
    flagged = sum(map(gave_itself_away, control))
    return Row(
        detector=kind,
        subject=subject,
        sample=len(of_kind),
        hits=len(hits),
        bar="no byte, and FIN only",
        met=not hits,
        control=f"a naive server: {flagged} of {len(control)}",
        control_ok=flagged > 0,
        version=VERSION,
        seed=seed,
        note=", ".join(sorted({f"{result.probe.name}: {result.ending}" for result in hits})[:3]),
    )


def _times(
    detector: str, subject: str, sample: int, found: str, p: float, shown: str, control_p: float, seed: int
) -> Row:
    return Row(
        detector=detector,
        subject=subject,
        sample=sample,
        hits=int(p <= ALPHA),
        bar=f"p > {ALPHA}",
        met=p > ALPHA,
        control=f"a naive server: {shown}",
        control_ok=control_p <= ALPHA,
        version=f"scipy {scipy.__version__}",
        seed=seed,
        note=found,
        of_sample=False,
    )
