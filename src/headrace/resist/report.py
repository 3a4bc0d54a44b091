"""What is reported of a detector: how many it looked at, how many gave themselves away, whether it works.

A detector that does not flag what it must flag proves nothing: with a failed control its row is "not run".
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final

__all__ = ["COLUMNS", "Row", "cells", "documents", "markdown", "upper_bound"]

COLUMNS: Final = (
    *("detector", "traffic", "sample", "hits", "at most", "bar", "met"),
    *("control", "version", "seed", "note"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table. `met` is what the hits say of the bar, None without one; see `verdict`."""

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
    missing: int = 0  #: connections that were made, and are not in the sample, or not whole
    of_sample: bool = True  #: whether hits are some of the sample; if not, they are no share of it

    @property
    def ran(self) -> bool:
        """Whether the result means anything."""
        return self.control_ok and self.sample > 0

    @property
    def verdict(self) -> bool | None:
        """Whether the bar is met, by a whole sample; None where there is no bar, or nothing ran."""
        if self.met is None or not self.ran:
            return None
        return self.met and not self.missing

    @property
    def bound(self) -> float | None:
        """The share of hits that there may be at most, at 95 %; None if they are no share."""
        return upper_bound(self.hits, self.sample) if self.of_sample and self.sample else None


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
        "" if row.bound is None else f"{100 * row.bound:.3g} %",
        row.bar,
        "not run" if not row.ran else {None: "", True: "yes", False: "NO"}[row.verdict],
        row.control,
        row.version,
        str(row.seed),
        "; ".join(filter(None, (f"{row.missing:,} missing" if row.missing else "", row.note))),
    )


def documents(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Return the table as other programs have it: mappings, with the bound, and what the bar comes to."""
    return [{**asdict(row), "ran": row.ran, "met": row.verdict, "at_most": row.bound} for row in rows]


def markdown(rows: Iterable[Row]) -> str:
    """Return the table as a document has it."""
    lines = [COLUMNS, ("---",) * len(COLUMNS), *map(cells, rows)]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)
