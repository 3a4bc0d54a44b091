"""`headrace network host …`: the machines that servers run on."""

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from headrace.cli.network.changing import Changing, changes
from headrace.cli.network.facts import show_entity
from headrace.cli.network.options import json_option, revision_option
from headrace.cli.network.place import Place, with_place
from headrace.cli.network.server_view import STATUSES
from headrace.cli.network.tables import show_table

if TYPE_CHECKING:
    from headrace.network.model import Host

__all__ = ["host"]


@click.group()
def host() -> None:
    """The machines: where they are, and which servers are on them.

    \b
    headrace network host list --provider acme
    """


@host.command("list")
@with_place
@click.option("--provider", help="Only those at this provider.")
@click.option("--region", help="Only those in this country, two letters.")
@click.option("--status", type=click.Choice(STATUSES), help="Only these; those that are no more, too.")
@json_option
def list_hosts(
    place: Place, provider: str | None, region: str | None, status: str | None, as_json: bool
) -> None:
    """Show the hosts there are.

    \b
    headrace network host list --region DE
    """
    from headrace.network.model import Host, Server, Status

    with place.book() as book, book.view() as view:
        gone = (Status.REMOVING, Status.GONE)
        where: list[Any] = [Host.status == status] if status else [Host.status.not_in(gone)]
        if provider is not None:
            where.append(Host.provider_id == view.provider(provider).id)
        if region is not None:
            where.append(Host.region == region.upper())
        servers = Counter(server.host_id for server in view.all(Server, Server.removed_at.is_(None)))
        rows = [
            {
                "name": each.name,
                "provider": each.provider.name,
                "region": each.region,
                "datacenter": each.datacenter,
                "status": each.status,
                "servers": servers[each.id],
                "deployment": each.deployment,
                "software": each.software,
                "created": each.created_at,
            }
            for each in sorted(view.all(Host, *where), key=lambda each: each.name)
        ]
    show_table(rows, as_json, nothing="there are no such hosts", whole=("name", "created"))


@host.command()
@with_place
@click.argument("name")
@json_option
def show(place: Place, name: str, as_json: bool) -> None:
    """Show what is known of one host, and the servers on it.

    \b
    headrace network host show relay-17
    """
    from headrace.network.model import Server

    with place.book() as book, book.view() as view:
        found = view.host(name)
        servers = [server.pseudonym for server in view.all(Server, Server.host_id == found.id)]
        show_entity(view, found, as_json, name=found.name, servers=servers)


@host.command()
@click.argument("name")
@revision_option
@changes
def pause(changing: Changing, name: str, revision: int | None) -> None:
    """Take all servers on a host out of all lists. They can come back.

    \b
    headrace network host pause relay-17 --reason "the provider is at work there"
    """
    from headrace.network.lifecycle import standing

    _move(changing, name, revision, standing.pause)


@host.command()
@click.argument("name")
@revision_option
@changes
def restore(changing: Changing, name: str, revision: int | None) -> None:
    """Put the servers on a paused or draining host back into the lists they were in.

    \b
    headrace network host restore relay-17
    """
    from headrace.network.lifecycle import standing

    _move(changing, name, revision, standing.restore)


@host.command()
@click.argument("name")
@revision_option
@changes
def drain(changing: Changing, name: str, revision: int | None) -> None:
    """Have all servers on a host take no new tunnels, and nobody be told of them.

    \b
    headrace network host drain relay-17
    """
    from headrace.network.lifecycle import standing

    _move(changing, name, revision, standing.drain)


@host.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@changes
def gone(changing: Changing, names: tuple[str, ...]) -> None:
    """Record that the machines of hosts whose servers were removed have been destroyed.

    \b
    headrace network host list --status removing
    headrace network host gone relay-17 relay-18
    """
    from headrace.network.lifecycle.standing import destroyed

    with changing.change() as change:
        for name in names:
            destroyed(change, change.host(name))


def _move(changing: Changing, name: str, revision: int | None, move: "Callable[[Host], bool]") -> None:
    with changing.change() as change:
        found = change.host(name)
        if revision is not None:
            change.expect(found, revision)
        move(found)
