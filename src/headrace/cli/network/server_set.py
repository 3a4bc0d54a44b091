"""`headrace network server set`: by what users are told of a server, and where it listens."""

from typing import TYPE_CHECKING

import click

from headrace.cli.network.changing import Changing, changes
from headrace.cli.network.fields import assign, given, ip_address
from headrace.cli.network.options import revision_option

if TYPE_CHECKING:
    from headrace.network.model import Server

__all__ = ["set_server"]

_role = click.Choice(["permanent", "propagation", "discovery", "osl"])


@click.command("set")
@click.argument("name")
@click.option("--give", multiple=True, type=_role, help="A role it gets, as if it were new; repeatable.")
@click.option("--take", multiple=True, type=_role, help="A role it loses; repeatable.")
@click.option("--osl-id", "osl_ids", multiple=True, help="An obfuscated list it is to be in; repeatable.")
@click.option("--rate-limit", help="New connections, for the firewall, like 600/minute burst 40 packets.")
@click.option(
    "--internal-address",
    type=ip_address,
    help="Where it listens, if that is another than clients connect to.",
)
@click.option("--egress-address", type=ip_address, help="Where its traffic leaves, if that is another.")
@revision_option
@changes
def set_server(
    changing: Changing,
    name: str,
    give: tuple[str, ...],
    take: tuple[str, ...],
    osl_ids: tuple[str, ...],
    rate_limit: str | None,
    internal_address: str | None,
    egress_address: str | None,
    revision: int | None,
) -> None:
    """Set by what users are told of a server, or how it is connected; what is not given stays.

    A server for discovery is told of from the next midnight on for seven days, one for OSLs from today on for
    fifteen. Its address is changed by `swap-address`.

    \b
    headrace network server set "dro fai mesk" --give permanent --reason "it has held for long"
    headrace network server set "dro fai mesk" --take discovery
    """
    from headrace.network.lifecycle.creation import give_role
    from headrace.network.strategy.roles import Role

    if ("osl" in give) != bool(osl_ids):
        raise click.UsageError("--osl-id names the list that a server for OSLs is in, and is for those only.")
    if both := set(give) & set(take):
        raise click.UsageError(f"the role {min(both)} is either given or taken.")
    fields = given(rate_limit=rate_limit, internal_address=internal_address, egress_address=egress_address)
    with changing.change() as change:
        server = change.server(name)
        assign(change, server, revision, fields)
        for role in take:
            _take(server, role)
        for role in give:
            give_role(server, Role(role), change.now, osl_ids)


def _take(server: "Server", role: str) -> None:
    match role:
        case "permanent":
            server.is_permanent = False
        case "propagation":
            server.is_embedded = False
        case "discovery":
            server.discovery_start = server.discovery_end = None
        case "osl":
            server.osl_start = server.osl_end = None
            server.osl_ids = []
