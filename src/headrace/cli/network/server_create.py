"""`headrace network server create`: a server on a machine that is ready for it."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headrace.cli.network.changing import Changing, changes
from headrace.cli.network.machines import machine_options, machines_of
from headrace.cli.progress import progress

if TYPE_CHECKING:
    from headrace.network.model import Server

__all__ = ["create", "tell_of"]


@click.command()
@click.option("--channel", required=True, help="Whose server it is; the name or public id.")
@click.option(
    "--role",
    required=True,
    type=click.Choice(["permanent", "propagation", "discovery", "osl"]),
    help="By what users are told of it.",
)
@machine_options
@click.option("--provider", help="Where the machine is; drawn by weight unless given.")
@click.option(
    "--port", "ports", multiple=True, metavar="PROTOCOL=N", help="SSH=22 or OSSH=443; drawn unless given."
)
@click.option(
    "--osl-id",
    "osl_ids",
    multiple=True,
    help="An obfuscated list it is in, and not the channel's present ones.",
)
@changes
def create(
    changing: Changing,
    channel: str,
    role: str,
    addresses: tuple[str, ...],
    file: Path | None,
    provider: str | None,
    ports: tuple[str, ...],
    osl_ids: tuple[str, ...],
    **options: Any,
) -> None:
    """Make a server, with all its keys, on each machine that is given; several at once, too.

    Its name, its ports and its keys are drawn. Users are told of it when a client has gone through it once:
    publish, so that the machine gets what it needs, and then test it.

    \b
    headrace network server create --channel web --role permanent --address 192.0.2.7 --region DE
    headrace network server create --channel web --role discovery --machines machines.json
    """
    from headrace.network.lifecycle.creation import create_server
    from headrace.network.strategy.roles import Role

    if osl_ids and role != "osl":
        raise click.UsageError("--osl-id is for servers of the role osl.")
    machines = machines_of(addresses, file, **options)
    wanted = _ports(ports)
    with (
        changing.change() as change,
        progress("making servers", in_bytes=False, quiet=changing.as_json) as bar,
    ):
        at = change.provider(provider) if provider is not None else None
        of = change.channel(channel)
        made = []
        for number, machine in enumerate(machines):
            bar(number, len(machines))
            made.append(
                create_server(change, of, machine, Role(role), provider=at, ports=wanted, osl_ids=osl_ids)
            )
        tell_of(changing, made)


def tell_of(changing: Changing, made: "Collection[Server]") -> None:
    """Say which servers were made, unless that would be drawn once more."""
    from headrace.network.rendering.ports import protocol_ports

    if changing.dry_run:
        return
    for server in made:
        ports = ", ".join(f"{name} {port}" for name, port in protocol_ports(server.host, server).items())
        changing.tell(f"made {server.pseudonym} at {server.address}: {ports}")
    changing.tell(
        "publish, so that it gets what it needs, and test it; then users are told of it",
        created=[
            {
                "name": server.pseudonym,
                "address": server.address,
                "host": server.host.name,
                "ports": protocol_ports(server.host, server),
            }
            for server in made
        ],
    )


def _ports(texts: tuple[str, ...]) -> dict[str, int] | None:
    found = {}
    for text in texts:
        name, _, number = text.partition("=")
        if not name or not number.isdecimal():
            raise click.UsageError(f"{text!r} is no port: write SSH=22 or OSSH=443.")
        found[name.upper()] = int(number)
    return found or None
