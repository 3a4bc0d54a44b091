"""`headrace network channel …`: the routes by which clients and lists reach users."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import click

from headrace.cli.network.changing import Changing, changes
from headrace.cli.network.facts import show_entity
from headrace.cli.network.fields import assign, given, words
from headrace.cli.network.options import json_option, revision_option
from headrace.cli.network.place import Place, with_place
from headrace.cli.network.tables import show_table

__all__ = ["channel"]


_count = click.IntRange(0, 10_000)
_days = click.IntRange(0, 36_500)


def _fields(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options for all that is set of a channel."""
    for option in (
        click.option("--max-osl-age", type=_days, help="Days before those for OSLs may be pruned; 0: never."),
        click.option("--max-discovery-age", type=_days, help="The same of those for discovery."),
        click.option("--max-propagation-age", type=_days, help="The same of those in lists."),
        click.option("--new-osl", type=_count, help="Servers for OSLs that `replace` makes."),
        click.option("--new-discovery", type=_count, help="Servers for discovery that it makes."),
        click.option("--new-propagation", type=_count, help="Servers for lists that it makes."),
        click.option(
            "--propagator-managed-upgrades/--own-upgrades",
            default=None,
            help="Whether a partner or an app store ships upgrades, or clients upgrade themselves.",
        ),
        click.option("--mechanisms", type=words, help="How clients get to users, with commas between."),
    ):
        command = option(command)
    return command


@click.group()
def channel() -> None:
    """Propagation channels: each has its own servers, so that blocked ones tell which channel has leaked.

    \b
    headrace network channel add web
    headrace network channel list
    """


@channel.command("list")
@with_place
@json_option
def list_channels(place: Place, as_json: bool) -> None:
    """Show the channels, with how many servers users are told of in each role.

    \b
    headrace network channel list
    """
    from headrace.cli.network.server_view import ROLES, role_names
    from headrace.network.model import PropagationChannel

    with place.book() as book, book.view() as view:
        counts = Counter(
            (server.channel_id, role)
            for server in view.servers()
            if server.published
            for role in role_names(server)
        )
        rows = [
            {
                "name": each.name,
                "public_id": each.public_id,
                **{role: counts[each.id, role] for role in ROLES},
                "mechanisms": each.mechanisms,
            }
            for each in sorted(view.all(PropagationChannel), key=lambda each: each.name)
        ]
    show_table(rows, as_json, nothing="there are no channels", whole=("name", "public_id"))


@channel.command()
@with_place
@click.argument("name")
@json_option
def show(place: Place, name: str, as_json: bool) -> None:
    """Show what is set of one channel. NAME may be its public id.

    \b
    headrace network channel show web
    """
    with place.book() as book, book.view() as view:
        show_entity(view, view.channel(name), as_json)


@channel.command()
@click.argument("name")
@_fields
@changes
def add(changing: Changing, name: str, **fields: Any) -> None:
    """Add a channel. Its public id, by which clients and servers know it, is drawn.

    \b
    headrace network channel add web --new-propagation 3 --max-propagation-age 60
    """
    from headrace.network.lifecycle.brands import add_channel

    with changing.change() as change:
        added = add_channel(change, name, **given(**fields))
        if not changing.dry_run:  # what is drawn now is not what will be
            changing.tell(f"the channel {added.name} is {added.public_id}", public_id=added.public_id)


@channel.command("set")
@click.argument("name")
@_fields
@revision_option
@changes
def set_channel(changing: Changing, name: str, revision: int | None, **fields: Any) -> None:
    """Set something of a channel; what is not given stays.

    \b
    headrace network channel set web --new-discovery 5 --max-discovery-age 30
    """
    with changing.change() as change:
        assign(change, change.channel(name), revision, given(**fields))
