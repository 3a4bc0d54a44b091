"""What all commands have in common that change a network: a reason, a dry run, and a report at the end."""

import functools
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

from headrace.cli.network.place import Place, actor, with_place

if TYPE_CHECKING:
    from headrace.network.book import Change, ChangeEvent

__all__ = ["NOTHING_TO_DO", "PARTLY", "Changing", "changes"]

NOTHING_TO_DO: Final = 3
PARTLY: Final = 4

#: Events and items of a plan that are told one by one; of more, how many there are.
_MOST_TOLD = 12


class Changing:
    """A change from the command line. `change()` is to be used once."""

    def __init__(self, place: Place, reason: str, dry_run: bool, as_json: bool) -> None:
        self.place, self.dry_run, self.as_json = place, dry_run, as_json
        self.reason = reason
        self._done: dict[str, Any] = {}

    @contextmanager
    def change(self) -> "Iterator[Change]":
        """Open the network for one change, and report it when the block has ended.

        The command ends with exit code 3 when nothing has changed.
        """
        context = click.get_current_context()
        action = context.command_path.removeprefix("headrace network ")
        with self.place.book(changes=True) as book:
            with book.change(actor(), action, self.reason, dry_run=self.dry_run) as change:
                yield change
                events = change.settle()
                stale = _stale(change) if events else []
        self._report(events, stale)
        if not events:
            sys.exit(NOTHING_TO_DO)

    def tell(self, text: str, **facts: Any) -> None:
        """Say what was done in words for people; `facts` are for --json."""
        self._done.update(facts)
        if not self.as_json:
            click.echo(text)

    def _report(self, events: "list[ChangeEvent]", stale: list[str]) -> None:
        if self.as_json:
            report = {
                "dry_run": self.dry_run,
                "changed": [
                    {
                        "kind": each.kind,
                        "id": str(each.id),
                        "name": each.name,
                        "created": each.created,
                        "before": each.before,
                        "after": each.after,
                    }
                    for each in events
                ],
                "to_publish": stale,
                **self._done,
            }
            click.echo(json.dumps(report, indent=2, default=str))
            return
        if not events:
            click.echo("nothing to do: it is like that already")
            return
        click.echo("would change:" if self.dry_run else "changed:")
        _lines([_in_words(each) for each in events])
        if stale:
            click.echo(
                "to be published then:" if self.dry_run else "to be published (headrace network publish):"
            )
            _lines(stale)
        if self.dry_run:
            click.echo("nothing was changed: this was a dry run")


def changes(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of one that changes a network, as one argument `changing`."""

    @functools.wraps(command)
    def run(*args: Any, place: Place, reason: str, dry_run: bool, as_json: bool, **options: Any) -> Any:
        return command(*args, changing=Changing(place, reason, dry_run, as_json), **options)

    for option in (
        click.option("--json", "as_json", is_flag=True, help="Report for programs."),
        click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing."),
        click.option("--reason", default="", help="Why, for the audit log."),
    ):
        run = option(run)
    return with_place(run)


def _stale(change: "Change") -> list[str]:
    from headrace.cli.network.publishing import stale_lines

    return stale_lines(change)


def _in_words(event: "ChangeEvent") -> str:
    noun = event.kind.removesuffix("s").replace("_", " ")
    if event.created:
        return f"{noun} {event.name}: new"
    told = [
        f"{name} {_short(event.before.get(name))} → {_short(value)}"
        for name, value in event.after.items()
        if name != "secrets"
    ]
    if "secrets" in event.after:
        names = event.before["secrets"].keys() | event.after["secrets"].keys()
        told.append(f"secrets: {', '.join(sorted(names))}")
    return f"{noun} {event.name}: {'; '.join(told)}"


def _short(value: Any) -> str:
    text = "none" if value in (None, "", [], {}) else str(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _lines(lines: list[str]) -> None:
    for line in lines[:_MOST_TOLD]:
        click.echo(f"  {line}")
    if len(lines) > _MOST_TOLD:
        click.echo(f"  and {len(lines) - _MOST_TOLD:,} more (--json has them all)")
