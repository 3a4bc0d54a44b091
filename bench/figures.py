"""What a bench finds out: figures with all their values, and bars that figures are held against."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

__all__ = ["Bar", "Figure", "Findings", "Verdict", "judge"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One quantity of one subject, once per round. `note` says how it came about."""

    measure: str
    subject: str
    unit: str
    values: tuple[float, ...]
    note: str = ""

    @property
    def middle(self) -> float:
        return median(self.values)


class Findings:
    """Collects values until they are figures: one for each measure, subject and unit."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str, str], list[float]] = {}
        self._notes: dict[tuple[str, str, str], str] = {}

    def add(self, measure: str, subject: str, unit: str, value: float, note: str = "") -> None:
        """Add a round's value; of several notes the last one stays."""
        key = measure, subject, unit
        self._values.setdefault(key, []).append(value)
        self._notes[key] = note or self._notes.get(key, "")

    def figures(self) -> list[Figure]:
        return [Figure(*key, tuple(values), self._notes[key]) for key, values in self._values.items()]


@dataclass(frozen=True, slots=True)
class Bar:
    """A promise about a measure: at least, or at most, so much; in its unit, or as a ratio to a peer's.

    A ratio is one of medians where luck decides more than what else the machine was doing.
    """

    measure: str
    subject: str
    at_least: float | None = None
    at_most: float | None = None
    against: str | None = None
    of_medians: bool = False

    def __str__(self) -> str:
        sign, limit = ("≥", self.at_least) if self.at_least is not None else ("≤", self.at_most)
        return f"{sign} {limit:g}" + (f" × {self.against}" if self.against else "")


@dataclass(frozen=True, slots=True)
class Verdict:
    """A bar and what was found: a value or ratio per round, empty where the peer was not there."""

    bar: Bar
    unit: str
    found: tuple[float, ...]

    @property
    def met(self) -> bool | None:
        """None when there was nothing to compare with."""
        if not self.found:
            return None
        bar, middle = self.bar, median(self.found)
        if bar.at_least is not None:
            return middle >= bar.at_least
        return bar.at_most is not None and middle <= bar.at_most


def judge(bars: Iterable[Bar], figures: Sequence[Figure]) -> list[Verdict]:
    """Hold figures against bars.

    Ratios are taken round by round, as rounds differ in what else was running, unless a bar wants medians.
    """
    table = {(figure.measure, figure.subject): figure for figure in figures}
    measured = {figure.measure for figure in figures}
    verdicts = []
    for bar in bars:
        if bar.measure not in measured:
            continue
        ours = table.get((bar.measure, bar.subject))
        peer = table.get((bar.measure, bar.against or bar.subject))
        if ours is None or peer is None:
            verdicts.append(Verdict(bar, "", ()))
        elif bar.against is None:
            verdicts.append(Verdict(bar, ours.unit, ours.values))
        elif bar.of_medians:
            verdicts.append(Verdict(bar, "×", (ours.middle / peer.middle,)))
        else:
            ratios = tuple(a / b for a, b in zip(ours.values, peer.values, strict=False) if b)
            verdicts.append(Verdict(bar, "×", ratios))
    return verdicts
