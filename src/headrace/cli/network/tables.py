"""What is shown of a network: a table for people, JSON for programs."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from headrace.cli.words import printable

__all__ = ["in_words", "plain", "show_facts", "show_table"]


def show_table(
    rows: Sequence[Mapping[str, Any]], as_json: bool, *, nothing: str, whole: Iterable[str] = ()
) -> None:
    """Print rows of the same columns, or say that there is nothing.

    Columns named in `whole` are never broken.
    """
    if as_json:
        click.echo(
            json.dumps([{name: plain(value) for name, value in row.items()} for row in rows], indent=2)
        )
        return
    if not rows:
        click.echo(nothing)
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in rows[0]:
        number = all(isinstance(row[name], int | float) for row in rows)
        table.add_column(
            name.replace("_", " "),
            no_wrap=name in whole,
            justify="right" if number else "left",
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(Text(in_words(value)) for value in row.values()))
    _console().print(table)


def show_facts(facts: Mapping[str, Any], as_json: bool) -> None:
    """Print what is known of one thing, a line each; for people, only what is not empty."""
    if as_json:
        click.echo(json.dumps({name: plain(value) for name, value in facts.items()}, indent=2))
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        if value not in (None, "", [], {}):
            table.add_row(name.replace("_", " "), Text(in_words(value)))
    _console().print(table)


def in_words(value: Any) -> str:
    """Return a value as people read it; times are UTC."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}"
        case list() | tuple() | set() | frozenset():
            return ", ".join(map(in_words, value))
        case dict():
            return "; ".join(f"{name}: {in_words(each)}" for name, each in value.items())
    return printable(str(value))


def plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    match value:
        case datetime():
            return value.isoformat()
        case bytes():
            return f"{len(value)} bytes"
        case dict():
            return {str(name): plain(each) for name, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(each) for each in value]
        case None | bool() | int() | float() | str():
            return value
    return str(value)


def _console() -> Console:
    # What goes to a file or a pipe is not broken at the width of a terminal that is not there.
    console = Console()
    return console if console.is_terminal else Console(width=10_000)
