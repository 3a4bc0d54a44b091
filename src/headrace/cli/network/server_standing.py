"""`headrace network server pause`, `restore`, `drain`, `remove` and `swap-address`."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from headrace.cli.network.changing import Changing, changes
from headrace.cli.network.options import confirm, revision_option, yes_option
from headrace.cli.network.selecting import chosen, preview, server_arguments, tell_what_to_destroy
from headrace.cli.progress import progress

if TYPE_CHECKING:
    from headrace.network.model import Server

__all__ = ["drain", "forget_addresses", "pause", "remove", "restore", "swap_address"]


@click.command()
@server_arguments
@revision_option
@changes
def pause(changing: Changing, names: tuple[str, ...], where: str | None, revision: int | None) -> None:
    """Take servers out of all lists. Whoever knows them can go on, and they can come back.

    \b
    headrace network server pause "dro fai mesk" --reason "blocked in one country"
    headrace network server pause --where provider=acme,region=DE
    """
    from headrace.network.lifecycle import standing

    _move(changing, names, where, revision, standing.pause)


@click.command()
@server_arguments
@revision_option
@changes
def restore(changing: Changing, names: tuple[str, ...], where: str | None, revision: int | None) -> None:
    """Put paused or draining servers back into the lists they were in.

    \b
    headrace network server restore "dro fai mesk"
    """
    from headrace.network.lifecycle import standing

    _move(changing, names, where, revision, standing.restore)


@click.command()
@server_arguments
@revision_option
@changes
def drain(changing: Changing, names: tuple[str, ...], where: str | None, revision: int | None) -> None:
    """Have servers take no new tunnels. Those they carry go on, and nobody is told of them any more.

    \b
    headrace network server drain "dro fai mesk" --reason "to be replaced"
    """
    from headrace.network.lifecycle import standing

    _move(changing, names, where, revision, standing.drain)


@click.command()
@server_arguments
@yes_option
@changes
def remove(changing: Changing, names: tuple[str, ...], where: str | None, yes: bool) -> None:
    """Take servers away for good. Their secrets are forgotten; names, addresses and dates are kept.

    With its last server a host goes, too: its machine has to be destroyed at the provider, and then
    `headrace network host gone` told of it.

    \b
    headrace network server remove "dro fai mesk"
    headrace network server remove --where "created<2026-01-01" --dry-run
    """
    from headrace.network.lifecycle import standing
    from headrace.network.model import Status

    with changing.change() as change:
        servers = [each for each in chosen(change, names, where) if Status(each.status).alive]
        if servers:
            preview(changing, servers, "removed")
            confirm("Remove them for good?", yes=yes or changing.dry_run)
        with progress("removing", in_bytes=False, quiet=changing.as_json) as bar:
            for number, server in enumerate(servers):
                bar(number, len(servers))
                standing.remove(change, server)
        tell_what_to_destroy(changing, servers)


@click.command("swap-address")
@click.argument("name")
@click.argument("address")
@revision_option
@changes
def swap_address(changing: Changing, name: str, address: str, revision: int | None) -> None:
    """Give a server another public ADDRESS. Users are told of it again once it was tested there.

    \b
    headrace network server swap-address "dro fai mesk" 192.0.2.99
    """
    from headrace.network.lifecycle import standing

    with changing.change() as change:
        server = change.server(name)
        if revision is not None:
            change.expect(server, revision)
        standing.swap_address(server, address)
        changing.tell("publish, so that it gets what it needs, and test it; then users are told of it again")


@click.command("forget-addresses")
@changes
def forget_addresses(changing: Changing) -> None:
    """Forget the addresses of servers that have been gone for as long as the settings say.

    They are kept that long so that old reports can be understood: see the setting retired_address_days.

    \b
    headrace network server forget-addresses
    """
    from headrace.network.lifecycle import standing

    with changing.change() as change:
        forgotten = standing.forget_addresses(change)
        changing.tell(f"{len(forgotten):,} addresses are forgotten", forgotten=forgotten)


def _move(
    changing: Changing,
    names: tuple[str, ...],
    where: str | None,
    revision: int | None,
    move: "Callable[[Server], bool]",
) -> None:
    with changing.change() as change:
        servers = chosen(change, names, where)
        if revision is not None and len(servers) != 1:
            raise click.UsageError("--revision is for one server.")
        for server in servers:
            if revision is not None:
                change.expect(server, revision)
            move(server)
