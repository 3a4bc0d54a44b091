"""`headrace network prune`: old servers taken away."""

import json
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import click

from headrace.base.errors import OperatorError
from headrace.cli.files import read_file
from headrace.cli.network.changing import Changing, changes
from headrace.cli.network.options import confirm, yes_option
from headrace.cli.network.selecting import preview, tell_what_to_destroy
from headrace.cli.network.tables import plain, show_table
from headrace.cli.progress import progress

if TYPE_CHECKING:
    from headrace.network.book import View

__all__ = ["prune"]


@click.command()
@click.option("--channel", "channels", multiple=True, help="Only this one's; repeatable. All unless given.")
@click.option(
    "--connected",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help='How many users each server has: a file like {"dro fai mesk": 7}; - is standard input.',
)
@yes_option
@changes
def prune(changing: Changing, channels: tuple[str, ...], connected: Path | None, yes: bool) -> None:
    """Take away servers that are past the age that their channel allows, by how many still use them.

    Up to 10 users, and a server is removed; up to 34, and it drains; with more it stays. One whose number is
    not given is shown, and stays. Ages are set by `headrace network channel set`; 0 keeps servers for ever.

    \b
    headrace network prune --dry-run
    headrace network prune --channel web --connected connected.json
    """
    from headrace.cli.network.server_view import role_names
    from headrace.network.lifecycle.pruning import prune as take_away
    from headrace.network.model import PropagationChannel
    from headrace.network.strategy.pruning import Action

    with changing.change() as change:
        counts = _counts(change, connected) if connected is not None else {}
        chosen = [change.channel(name) for name in channels] or change.all(PropagationChannel)
        with progress("pruning", in_bytes=False, quiet=changing.as_json) as bar:
            decided = take_away(change, chosen, counts, progress=bar)
        rows = [
            {
                "server": each.server.pseudonym,
                "channel": each.server.channel.name,
                "roles": role_names(each.server),
                "over since": each.since,
                "users": each.connected,
                "what": str(each.action) if each.action is not Action.REPORT else "unknown users, stays",
            }
            for each in decided
        ]
        changing.tell(f"{len(decided):,} servers are past their age", pruned=plain(rows))
        if rows and not changing.as_json:
            show_table(rows, False, nothing="", whole=("server", "over since"))
        for action, what in ((Action.DRAIN, "drained"), (Action.REMOVE, "removed")):
            if affected := [each.server for each in decided if each.action is action]:
                preview(changing, affected, what, key=what)
        if any(each.action in (Action.DRAIN, Action.REMOVE) for each in decided):
            confirm("Go on?", yes=yes or changing.dry_run)
        tell_what_to_destroy(changing, [each.server for each in decided])


def _counts(view: "View", file: Path) -> dict[UUID, int | None]:
    """Return how many users servers have, by id. Raises OperatorError, NotKnown."""
    try:
        found = json.loads(read_file(file, "the numbers of users"))
        if not isinstance(found, dict):
            raise ValueError
        for name, count in found.items():
            if not (count is None or (type(count) is int and count >= 0)):
                raise OperatorError(f"{file}: {count!r} is no number of users of {name}")
    except ValueError:
        raise OperatorError(f'{file} has no numbers of users: write {{"dro fai mesk": 7}}') from None
    return {view.server(name).id: count for name, count in found.items()}
