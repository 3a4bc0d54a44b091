"""Figures and verdicts for people (tables) and for programs (one JSON file)."""

import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from bench.figures import Figure, Verdict

__all__ = ["print_tables", "write_json"]


def print_tables(console: Console, figures: Iterable[Figure], verdicts: Iterable[Verdict]) -> None:
    """Print every figure, then every bar and whether it is met."""
    table = Table(title="Figures: median, and range over the rounds", title_justify="left")
    for heading in ("measure", "subject", "median", "range", "unit", "note"):
        table.add_column(heading, justify="right" if heading in ("median", "range") else "left")
    previous = ""
    for figure in sorted(figures, key=lambda figure: figure.measure):
        if previous and figure.measure != previous:
            table.add_section()
        shown = "" if figure.measure == previous else figure.measure
        previous = figure.measure
        spread = f"{_short(min(figure.values))} - {_short(max(figure.values))}"
        table.add_row(shown, figure.subject, _short(figure.middle), spread, figure.unit, figure.note)
    console.print(table)

    table = Table(title="Bars", title_justify="left")
    for heading in ("measure", "subject", "bar", "found", "range", "met"):
        table.add_column(heading, justify="right" if heading in ("found", "range") else "left")
    for verdict in verdicts:
        bar, values = verdict.bar, verdict.found
        found = f"{_short(median(values))} {verdict.unit}" if values else "-"
        spread = f"{_short(min(values))} - {_short(max(values))}" if values else ""
        met = {True: "[green]yes", False: "[red]NO", None: "[yellow]no peer"}[verdict.met]
        table.add_row(bar.measure, bar.subject, str(bar), found, spread, met)
    console.print(table)


def write_json(
    path: Path, figures: Sequence[Figure], verdicts: Sequence[Verdict], conditions: Mapping[str, object]
) -> None:
    """Write everything to a file."""
    document = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        **conditions,
        "figures": [{**asdict(figure), "median": figure.middle} for figure in figures],
        "bars": [
            {**asdict(verdict.bar), "bar": str(verdict.bar), "found": verdict.found, "met": verdict.met}
            for verdict in verdicts
        ],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
