"""Servers meant by a command: by name, or by what they have in common; and what doing it would touch."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from headrace.cli.network.changing import Changing
from headrace.cli.network.tables import show_table

if TYPE_CHECKING:
    from headrace.network.book import View
    from headrace.network.model import Server

__all__ = ["chosen", "preview", "server_arguments", "tell_what_to_destroy"]

#: Hosts that are named one by one; of more, how many there are.
_MOST_TOLD: Final = 12


def server_arguments(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the arguments `names` and `where`, for `chosen`."""
    command = click.option(
        "--where",
        metavar="SELECTOR",
        help="Those of which all this holds, like provider=acme,created<2026-01-01; or all.",
    )(command)
    return click.argument("names", nargs=-1, metavar="[NAME]...")(command)


def chosen(view: "View", names: Sequence[str], where: str | None) -> "list[Server]":
    """Return the servers that are named or selected. Raises NotKnown, OperatorError, UsageError."""
    from headrace.network.strategy.selector import parse_selector

    if bool(names) == (where is not None):
        raise click.UsageError("name servers, or select them by --where.")
    if where is not None:
        return parse_selector(where).select(view.servers())
    return list(dict.fromkeys(view.server(name) for name in names))


def preview(changing: Changing, servers: "Iterable[Server]", what: str, *, key: str = "affected") -> None:
    """Show how many servers of each channel and region are affected. `what` is done to them.

    For programs that is `key`.
    """
    affected = list(servers)
    parts = {
        "channel": Counter(server.channel.name for server in affected),
        "region": Counter(server.host.region for server in affected),
    }
    changing.tell(
        f"{len(affected):,} {'server' if len(affected) == 1 else 'servers'} to be {what}:",
        **{
            key: {
                "servers": [server.pseudonym for server in affected],
                **{part: dict(sorted(counts.items())) for part, counts in parts.items()},
            }
        },
    )
    if not changing.as_json:
        rows = [
            {"of": part, "which": name, "servers": count}
            for part, counts in parts.items()
            for name, count in sorted(counts.items())
        ]
        show_table(rows, False, nothing="none")


def tell_what_to_destroy(changing: Changing, removed: "Iterable[Server]") -> None:
    """Say which machines are of no more use, now that these servers are removed."""
    from headrace.network.model import Status

    hosts = sorted({server.host.name for server in removed if server.host.status == Status.REMOVING})
    if hosts:
        which = (
            ", ".join(hosts)
            if len(hosts) <= _MOST_TOLD
            else f"{len(hosts):,} machines (headrace network host list --status removing)"
        )
        changing.tell(
            f"destroy {which} at the provider, and then: headrace network host gone HOST", to_destroy=hosts
        )
