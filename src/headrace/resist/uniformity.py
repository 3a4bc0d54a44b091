"""F3: what should be random is exactly that, judged by six measures over many connections at once.

A direction's bytes that are meant to look random (after the prefix, without framing) are one stream. Six
measures are taken over all streams of a direction, each with a level: how often it fails on true randomness.

1. pooled: chi-square of all bytes over 256 values.
2. each: every stream's own chi-square has a p-value; those must be uniform (Kolmogorov-Smirnov).
3. offsets: chi-square over connections of each of the first 64 bytes; the worst, Bonferroni-corrected.
4. bits, lag n: the number of ones and the correlation of bytes n apart, for each stream; uniform as in 2.
5. repeats: no string of 8 bytes is found twice.
6. learner: gradient-boosted trees, cross-validated, do not tell the streams from the system's randomness.

`flawed_streams` makes randomness with one small flaw each, for the control: every measure must find its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from headrace.base.rng import SYSTEM_RNG, Rng, SeededRng
from headrace.resist.learner import separation_by_fold

__all__ = [
    "FLAWS",
    "LEVEL",
    "MEASURES",
    "STREAM_MINIMUM",
    "Measure",
    "flawed_streams",
    "judge_flaws",
    "judge_streams",
]

#: A stream has p-values of its own from its first bytes, if each value is to be expected 5 times among them.
STREAM_SIZE: Final = 4096
STREAM_MINIMUM: Final = 5 * 256

OFFSETS: Final = 64
LAGS: Final = (1, 2, 4, 8, 16)
REPEAT_SIZE: Final = 8

#: How many measures there are, lags counted one by one.
MEASURES: Final = 6 + len(LAGS)

#: How often a measure fails on true randomness.
LEVEL: Final = 0.01

#: A learner that can tell the streams apart by so much is said to be able to.
AUC_LIMIT: Final = 0.52
#: How sure one must be that it cannot: the interval is the one that bounds are reported with.
_USUAL: Final = 0.05

_Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure's result: a p-value, or what `detail` says; and whether the bar is met."""

    name: str
    p: float
    met: bool
    detail: str = ""


def judge_streams(
    streams: Sequence[bytes], *, level: float = LEVEL, rng: Rng = SYSTEM_RNG, learn: bool = True
) -> list[Measure]:
    """Take the six measures over `streams`, at least some of which must have 1,280 bytes.

    `rng` gives what the learner compares with. At fewer than 10,000 streams its interval is wider than its
    limit allows, and only has to contain one half.
    """
    arrays = [np.frombuffer(stream, np.uint8) for stream in streams]
    heads = [array[:STREAM_SIZE] for array in arrays if len(array) >= STREAM_MINIMUM]
    if not heads:
        raise ValueError(f"no stream has {STREAM_MINIMUM} bytes")
    counts = np.stack([np.bincount(head, minlength=256) for head in heads])
    found = [
        _by_p("pooled", _flat(sum(np.bincount(array, minlength=256) for array in arrays)), level),
        _by_p("each", _uniform(_flat(counts)), level),
        _by_p("offsets", _worst_offset(arrays), level),
        _by_p("bits", _uniform(_ones(heads, rng)), level),
        *(_by_p(f"lag {lag}", _uniform(_correlation(heads, lag)), level) for lag in LAGS),
        _repeats(streams),
    ]
    return [*found, _learner(streams, level, rng)] if learn else found


# ---- measures -------------------------------------------------------------------------------------------


def _by_p(name: str, p: float, level: float) -> Measure:
    return Measure(name, float(p), bool(p >= level), f"p = {p:.2g}")


def _flat(counts: Any) -> Any:
    """Return the p-values of chi-square tests, along the last axis, that all values are equally frequent."""
    return stats.chisquare(counts, axis=-1).pvalue


def _uniform(values: NDArray[np.float64]) -> float:
    """Return the p-value of the Kolmogorov-Smirnov test that `values` are uniform on 0..1."""
    return float(stats.kstest(values, "uniform").pvalue)


def _worst_offset(arrays: Sequence[_Bytes]) -> float:
    p = []
    for offset in range(OFFSETS):
        column = np.array([array[offset] for array in arrays if len(array) > offset], np.uint8)
        if len(column) >= 256:
            p.append(float(_flat(np.bincount(column, minlength=256))))
    return min(1.0, OFFSETS * min(p, default=1.0))


def _ones(heads: Sequence[_Bytes], rng: Rng) -> NDArray[np.float64]:
    """Return where each stream's number of ones lies among those that chance gives: uniform on 0..1.

    The number is an integer: a place is drawn within its step, or the steps themselves would be found.
    """
    bits = np.array([8 * len(head) for head in heads])
    ones = np.array([int(np.bitwise_count(head).sum()) for head in heads])
    within = np.array([rng.uniform() for _ in heads])
    chance = stats.binom(bits, 0.5)
    return np.asarray(chance.cdf(ones - 1) + within * chance.pmf(ones))


def _correlation(heads: Sequence[_Bytes], lag: int) -> NDArray[np.float64]:
    """Return where each stream's correlation of bytes `lag` apart lies among those that chance gives."""
    scores = []
    for head in heads:
        centred = (head - 127.5) / np.sqrt((256**2 - 1) / 12)
        scores.append(float(centred[:-lag] @ centred[lag:]) / np.sqrt(len(head) - lag))
    return np.asarray(stats.norm.cdf(scores))


def _repeats(streams: Sequence[bytes]) -> Measure:
    """Count the strings of 8 bytes that are found twice, at any offsets of any streams.

    By chance that is 3e-4 in 100 MB. A sixteenth of all strings is sorted at a time, for the memory.
    """
    windows = np.concatenate(
        [
            np.frombuffer(stream, "<u8", count=(len(stream) - shift) // REPEAT_SIZE, offset=shift)
            for stream in streams
            for shift in range(min(REPEAT_SIZE, max(0, len(stream) - REPEAT_SIZE + 1)))
        ]
    )
    twice = 0
    for part in range(16):
        some = windows[(windows & 15) == part]
        some.sort()
        twice += int((some[1:] == some[:-1]).sum())
    return Measure("repeats", 0.0 if twice else 1.0, twice == 0, f"{twice} in {len(windows)}")


def _learner(streams: Sequence[bytes], level: float, rng: Rng) -> Measure:
    """Try to tell the streams from random ones of the same lengths."""
    ours = _features(streams)
    others = _features([rng.bytes(len(stream)) for stream in streams])
    found = separation_by_fold(ours, others, seed=0)
    low, high = found.interval(level)
    usual = found.interval(_USUAL)[1]
    enough = usual - found.auc < AUC_LIMIT - 0.5
    met = low <= 0.5 <= high and (usual <= AUC_LIMIT or not enough)
    p = float(2 * stats.norm.sf(abs(found.auc - 0.5) / found.error))
    return Measure("learner", p, met, f"AUC {low:.3f} to {high:.3f}")


def _features(streams: Sequence[bytes]) -> NDArray[np.float32]:
    """Return a row for each stream: its first 256 bytes, and the share of each value in all of it."""
    rows = np.full((len(streams), 512), np.nan, np.float32)
    for row, stream in zip(rows, streams, strict=True):
        array = np.frombuffer(stream, np.uint8)
        row[: min(256, len(array))] = array[:256]
        row[256:] = np.bincount(array, minlength=256) / max(1, len(array))
    return rows


# ---- the control ----------------------------------------------------------------------------------------


def _low_bits(head: _Bytes, rng: np.random.Generator) -> None:
    """Clear the highest bit of every 16th byte: a text among what is random."""
    head[::16] &= 0x7F


def _fixed_field(head: _Bytes, rng: np.random.Generator) -> None:
    """Begin, behind 24 bytes, with a length below 2^24."""
    head[24] = 0


def _short_period(lag: int, head: _Bytes, rng: np.random.Generator) -> None:
    """Repeat one byte of 32 so many bytes behind it."""
    head[lag::32] = head[:-lag:32]


def _counted(head: _Bytes, rng: np.random.Generator) -> None:
    """Have all values equally often, too evenly for chance."""
    head[:4096] = rng.permutation(np.arange(len(head[:4096])) % 256)


def _same_nonce(head: _Bytes, rng: np.random.Generator) -> None:
    """Have the same 16 bytes at some place in one connection of three."""
    if rng.random() < 1 / 3:
        head[200:216] = np.arange(16)


#: A flaw, what does it to a stream in place, and the measures that must find it.
FLAWS: Final[dict[str, tuple[Callable[[_Bytes, np.random.Generator], None], frozenset[str]]]] = {
    "text": (_low_bits, frozenset({"pooled", "bits"})),
    "field": (_fixed_field, frozenset({"offsets", "learner"})),
    **{f"period {lag}": (partial(_short_period, lag), frozenset({f"lag {lag}"})) for lag in LAGS},
    "counted": (_counted, frozenset({"each"})),
    "nonce": (_same_nonce, frozenset({"repeats"})),
}


@cache
def judge_flaws(count: int, size: int, *, level: float = LEVEL, seed: int = 0) -> tuple[str, ...]:
    """Return the flaws that a measure did not find which must; empty if all is well."""
    missed = []
    for flaw, (_, finders) in FLAWS.items():
        streams = flawed_streams(flaw, count, size, seed)
        measures = judge_streams(streams, level=level, rng=SeededRng(seed), learn="learner" in finders)
        if not finders <= {measure.name for measure in measures if not measure.met}:
            missed.append(flaw)
    return tuple(missed)


def flawed_streams(flaw: str, count: int, size: int, seed: int) -> list[bytes]:
    """Return `count` random streams of `size` bytes with the flaw of that name."""
    rng = np.random.default_rng(seed)
    spoil = FLAWS[flaw][0]
    streams = []
    for _ in range(count):
        array = rng.integers(0, 256, size, np.uint8)
        spoil(array, rng)
        streams.append(array.tobytes())
    return streams
