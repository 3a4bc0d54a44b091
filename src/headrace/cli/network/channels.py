"""`headrace network channel …`: the routes by which clients and lists reach users."""

from collections import Counter

import click

from headrace.cli.network.facts import show_entity
from headrace.cli.network.options import json_option
from headrace.cli.network.place import Place, with_place
from headrace.cli.network.tables import show_table

__all__ = ["channel"]


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
