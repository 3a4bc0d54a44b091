"""What is reported of a detector: how many it looked at, how many gave themselves away, whether it works.

A detector that does not flag what it must flag proves nothing: with a failed control its row is "not run".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from headrace.resist.flows import Flow

__all__ = ["Detector", "Judgement", "Row", "upper_bound"]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table. `met` is None where there is no bar, or where the detector did not run."""

    detector: str  #: "F1 paper, up"
    subject: str  #: whose traffic: "http-post", "bare", "stock pair", …
    sample: int
    hits: int
    bar: str  #: "0 of 10,000"; "" without one
    met: bool | None
    control: str  #: what the detector had to say of traffic that it must flag: "SSH: 20 of 20"
    control_ok: bool
    version: str  #: the detector's
    seed: int
    note: str = ""

    @property
    def ran(self) -> bool:
        """Whether the result means anything."""
        return self.control_ok and self.sample > 0

    @property
    def bound(self) -> float:
        """The share of hits that there may be at most, at 95 %."""
        return upper_bound(self.hits, self.sample)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a detector says of some flows."""

    sample: int
    hits: int
    note: str = ""

    def __add__(self, other: "Judgement") -> "Judgement":
        notes = dict.fromkeys(note for note in (self.note, other.note) if note)
        return Judgement(self.sample + other.sample, self.hits + other.hits, "; ".join(notes))


class Detector(Protocol):
    """Somebody who looks at captured traffic. `pcap` is the file the flows were read from."""

    id: str

    def version(self) -> str:
        """Return the version of the program that judges, or of the rule."""
        ...

    def judge(self, flows: Sequence[Flow], pcap: Path) -> Judgement:
        """Say how many of the flows it flags."""
        ...


def upper_bound(hits: int, sample: int) -> float:
    """Return the largest share that so many hits leave possible, at 95 % (Clopper and Pearson, one-sided)."""
    from scipy.stats import beta

    if hits >= sample:
        return 1.0
    return float(beta.ppf(0.95, hits + 1, sample - hits))
