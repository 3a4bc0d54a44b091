"""What is reported of a detector: how many it looked at, how many gave themselves away, whether it works.

A detector that does not flag what it must flag proves nothing: with a failed control its row is "not run".
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

__all__ = ["COLUMNS", "Row", "cells", "markdown", "upper_bound"]

COLUMNS: Final = (
    *("detector", "traffic", "sample", "hits", "at most", "bar", "met"),
    *("control", "version", "seed", "note"),
)


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


def upper_bound(hits: int, sample: int) -> float:
    """Return the largest share that so many hits leave possible, at 95 % (Clopper and Pearson, one-sided)."""
    from scipy.stats import beta

    if hits >= sample:
        return 1.0
    return float(beta.ppf(0.95, hits + 1, sample - hits))


def cells(row: Row) -> tuple[str, ...]:
    """Return a row as it is shown, by COLUMNS."""
    return (
        row.detector,
        row.subject,
        f"{row.sample:,}",
        f"{row.hits:,}",
        f"{100 * row.bound:.3g} %" if row.sample else "",
        row.bar,
        "not run" if not row.ran else "" if row.met is None else "yes" if row.met else "NO",
        row.control,
        row.version,
        str(row.seed),
        row.note,
    )


def markdown(rows: Iterable[Row]) -> str:
    """Return the table as a document has it."""
    lines = [COLUMNS, ("---",) * len(COLUMNS), *map(cells, rows)]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)
