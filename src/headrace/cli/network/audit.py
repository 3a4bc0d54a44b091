"""`headrace network audit` and `history`: who did what, when and why."""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from headrace.base.errors import OperatorError
from headrace.cli.network.place import Place, with_place
from headrace.cli.network.tables import in_words, plain, show_table

if TYPE_CHECKING:
    from headrace.network.book import View
    from headrace.network.model import AuditEvent

__all__ = ["audit", "history"]

#: Characters of a value that people are shown.
_MOST_TEXT = 40

_json = click.option(
    "--json", "as_json", is_flag=True, help="For programs, with the values before and after."
)


@click.group()
def audit() -> None:
    """Who changed what, when and why. The record can only grow.

    \b
    headrace network audit log
    """


@audit.command()
@with_place
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="How many, the latest.")
@click.option("--actor", help="Only what this operator did.")
@click.option("--action", help='Only by this command, like "server pause".')
@_json
def log(place: Place, limit: int, actor: str | None, action: str | None, as_json: bool) -> None:
    """Show the latest changes, the oldest of them first.

    \b
    headrace network audit log --actor ann --limit 200
    """
    from headrace.network.model import AuditEvent

    where: list[Any] = []
    if actor is not None:
        where.append(AuditEvent.actor == actor)
    if action is not None:
        where.append(AuditEvent.action == action)
    with place.book() as book, book.view() as view:
        _show(_events(view, where, limit), as_json)


@click.command()
@with_place
@click.argument("name")
@click.option("--limit", default=200, show_default=True, type=click.IntRange(1), help="How many, the latest.")
@_json
def history(place: Place, name: str, limit: int, as_json: bool) -> None:
    """Show what was done to one thing: a server, host, channel, sponsor, campaign or provider.

    \b
    headrace network history "dro fai mesk"
    """
    from headrace.network.book import NotKnown
    from headrace.network.model import AuditEvent

    with place.book() as book, book.view() as view:
        finders = (view.server, view.host, view.channel, view.sponsor, view.campaign, view.provider)
        for find in finders:
            try:
                thing = find(name)
                break
            except NotKnown:
                continue
        else:
            raise OperatorError(
                f"nothing is called {name!r}: name a server, host, channel, sponsor or campaign"
            )
        _show(_events(view, [AuditEvent.object_id == thing.id], limit), as_json)


def _events(view: "View", where: list[Any], limit: int) -> "Sequence[AuditEvent]":
    from sqlalchemy import select

    from headrace.network.model import AuditEvent

    newest = select(AuditEvent).where(*where).order_by(AuditEvent.number.desc()).limit(limit)
    return list(reversed(view.session.scalars(newest).all()))


def _show(events: "Sequence[AuditEvent]", as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([_fields(event) for event in events], indent=2))
        return
    rows = [
        {
            "when": event.at,
            "who": event.actor,
            "command": event.action,
            "what": f"{event.kind.removesuffix('s')} {event.object_name}",
            "change": "; ".join(_changes(event)),
            "why": event.reason,
        }
        for event in events
    ]
    show_table(rows, as_json, nothing="nothing was done", whole=("when", "who"))


def _changes(event: "AuditEvent") -> Iterator[str]:
    for name, value in event.after.items():
        if name == "secrets":
            yield f"secrets {', '.join(value)}"
        elif name in event.before:
            yield f"{name} {_short(event.before[name])} → {_short(value)}"
        else:
            yield f"{name} {_short(value)}"


def _short(value: Any) -> str:
    text = in_words(plain(value)) or "none"
    return text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 1]}…"


def _fields(event: "AuditEvent") -> dict[str, Any]:
    names = ("number", "actor", "reason", "action", "kind", "object_name", "before", "after")
    return {
        "at": event.at.isoformat(),
        "object_id": event.object_id and str(event.object_id),
        **{name: getattr(event, name) for name in names},
    }
