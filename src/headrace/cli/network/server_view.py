"""`headrace network server list`, `show` and `explain`: what there is, and who can know of it."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from headrace.cli.network.facts import show_entity
from headrace.cli.network.options import json_option
from headrace.cli.network.place import Place, with_place
from headrace.cli.network.tables import show_table

if TYPE_CHECKING:
    from headrace.network.book import View
    from headrace.network.model import Server

__all__ = ["ROLES", "STATUSES", "explain", "list_servers", "role_names", "show"]

ROLES = ("permanent", "propagation", "discovery", "osl", "retained")
STATUSES = ("new", "installed", "active", "paused", "draining", "removing", "gone")


@click.command("list")
@with_place
@click.option("--channel", help="Only this channel's; its name or public id.")
@click.option("--region", help="Only those in this country, two letters.")
@click.option("--role", type=click.Choice(ROLES), help="Only those for this.")
@click.option("--status", type=click.Choice(STATUSES), help="Only these; those that are no more, too.")
@click.option("--capability", help="Only those that have it, like QUIC.")
@json_option
def list_servers(
    place: Place,
    channel: str | None,
    region: str | None,
    role: str | None,
    status: str | None,
    capability: str | None,
    as_json: bool,
) -> None:
    """Show the servers there are; all conditions hold for those that are shown.

    \b
    headrace network server list --channel web --role discovery
    headrace network server list --status gone
    """
    from headrace.network.model import Server, Status

    gone = (Status.REMOVING, Status.GONE)
    with place.book() as book, book.view() as view:
        where: list[Any] = [Server.status == status] if status else [Server.status.not_in(gone)]
        if channel is not None:
            where.append(Server.channel_id == view.channel(channel).id)
        found = [
            server
            for server in view.servers(*where)
            if (region is None or server.host.region == region.upper())
            and (role is None or role in role_names(server))
            and (capability is None or capability.upper() in server.capabilities)
        ]
        rows = [_row(server) for server in sorted(found, key=lambda each: each.pseudonym)]
    show_table(rows, as_json, nothing="there are no such servers", whole=("name", "address", "roles"))


@click.command()
@with_place
@click.argument("name")
@json_option
def show(place: Place, name: str, as_json: bool) -> None:
    """Show what is known of one server. NAME is its name, tag or address.

    \b
    headrace network server show "dro fai mesk"
    headrace network server show 192.0.2.7
    """
    from headrace.network.model import Status
    from headrace.network.rendering.capabilities import published_capabilities
    from headrace.network.rendering.ports import protocol_ports

    with place.book() as book, book.view() as view:
        server = view.server(name)
        alive = Status(server.status).alive
        show_entity(
            view,
            server,
            as_json,
            pseudonym=server.pseudonym,
            status=server.status,
            published=server.published,
            roles=role_names(server),
            address=server.address,
            region=server.host.region,
            provider=server.host.provider.name,
            software=server.host.software,
            ports=protocol_ports(server.host, server) if alive else {},
            capabilities=server.capabilities,
            published_capabilities=published_capabilities(server.host, server) if alive else [],
        )


@click.command()
@with_place
@click.argument("name")
@json_option
def explain(place: Place, name: str, as_json: bool) -> None:
    """Show who can learn of one server: by which route, since when, until when.

    What is said of lists and bundles holds for those that are made now.

    \b
    headrace network server explain "dro fai mesk"
    """
    with place.book() as book, book.view() as view:
        rows = _exposures(view, view.server(name))
    show_table(rows, as_json, nothing="nobody can learn of it", whole=("route", "since", "until"))


def role_names(server: "Server") -> list[str]:
    """Return the roles of a server in their usual order."""
    from headrace.network.strategy.roles import roles

    found = roles(server)
    return [name for name in ROLES if name in found]


def _row(server: "Server") -> dict[str, Any]:
    return {
        "name": server.pseudonym,
        "address": server.address,
        "channel": server.channel.name,
        "region": server.host.region,
        "roles": role_names(server),
        "status": server.status,
        "published": server.published,
        "provider": server.host.provider.name,
        "capabilities": server.capabilities,
        "version": server.configuration_version,
    }


def _exposures(view: "View", server: "Server") -> list[dict[str, Any]]:
    from headrace.network.model import PropagationChannel
    from headrace.network.strategy.exposure import explain as exposures

    settings = view.settings
    found = exposures(
        server,
        view.all(PropagationChannel),
        view.servers(),
        sample_key=bytes.fromhex(view.secrets(settings)["sample_key"]),
        embedded_sample=settings.embedded_sample,
        list_sample=settings.list_sample,
        horizon=timedelta(hours=settings.discovery_horizon_hours),
    )
    return [
        {
            "route": str(each.route),
            "channel": each.channel,
            "who": each.who,
            "since": each.since,
            "until": each.until,
            "open": each.open_at(view.now),
        }
        for each in found
    ]
