"""`headrace network diversity`: what many of the published addresses have in common."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headrace.cli.network.options import json_option, shares
from headrace.cli.network.place import Place, with_place
from headrace.cli.network.tables import show_facts, show_table

if TYPE_CHECKING:
    from headrace.network.book import View
    from headrace.network.strategy.diversity import Diversity, Spread

__all__ = ["DIMENSIONS", "diversity"]

#: What is measured, as it is written on a command line.
DIMENSIONS = (
    "provider",
    "autonomous-system",
    "wide-network",
    "network",
    "region",
    "port",
    "capability",
    "age",
)

_MOST_WARNINGS = 20


@click.command()
@with_place
@click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="KIND=SHARE",
    help="Warn of more than this share with the same one; repeat it for other kinds.",
)
@click.option("--channel", help="How the list of this channel is spread, and not the network.")
@click.option("--most", default=5, show_default=True, type=click.IntRange(1), help="How many of each kind.")
@click.option(
    "--asn-database",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Autonomous systems by address, in MaxMind's format.",
)
@json_option
def diversity(
    place: Place,
    limits: tuple[str, ...],
    channel: str | None,
    most: int,
    asn_database: Path | None,
    as_json: bool,
) -> None:
    """Show what many addresses share: whoever blocks one network or provider takes all that are there.

    Kinds are provider, autonomous-system, wide-network (/16, of IPv6 /32), network (/24, of IPv6 /48),
    region, port, capability and age. Warnings are of the whole network and of each channel's list.

    \b
    headrace network diversity
    headrace network diversity --channel web --limit provider=30% --limit network=0.05
    """
    from headrace.network.strategy.diversity import LIMITS, Dimension

    given = {Dimension(name.replace("-", " ")): share for name, share in shares(limits, DIMENSIONS).items()}
    with place.book() as book, book.view() as view:
        chosen = view.channel(channel).name if channel is not None else ""
        found = _measured(view, {**LIMITS, **given}, _lookup(asn_database))
    if as_json:
        show_facts(_as_json(found), as_json)
        return
    spread = found.lists[chosen] if chosen else found.network
    click.echo(f"{spread.addresses:,} addresses in {f'the list of {chosen}' if chosen else 'the network'}")
    rows = [
        {
            "kind": str(dimension),
            "which": group.name,
            "addresses": group.addresses,
            "share": f"{group.share:.0%}",
        }
        for dimension, groups in spread.groups.items()
        for group in groups[:most]
    ]
    if rows:
        show_table(rows, as_json, nothing="")
    warnings = [each for each in found.warnings if not chosen or each.channel == chosen]
    for warning in warnings[:_MOST_WARNINGS]:
        click.echo(f"warning: {warning}")
    if len(warnings) > _MOST_WARNINGS:
        click.echo(f"and {len(warnings) - _MOST_WARNINGS:,} more warnings (--json has them all)")


def _measured(view: "View", limits: dict[Any, float], lookup: Callable[[str], str] | None) -> "Diversity":
    from headrace.network.model import PropagationChannel
    from headrace.network.strategy.diversity import diversity as measure
    from headrace.network.strategy.subset import Lists

    settings, servers = view.settings, view.servers()
    lists = Lists(servers, bytes.fromhex(view.secrets(settings)["sample_key"]))
    listed = {
        channel.name: lists.listed(channel, settings.list_sample)
        for channel in sorted(view.all(PropagationChannel), key=lambda each: each.name)
    }
    return measure(servers, view.now, lists=listed, limits=limits, autonomous_system=lookup)


def _lookup(database: Path | None) -> Callable[[str], str] | None:
    if database is None:
        return None
    from headrace.server.geoip import UNKNOWN, GeoIP

    places = GeoIP.load([database])

    @functools.cache
    def lookup(address: str) -> str:
        number = places.asn(address)
        return "" if number == UNKNOWN else number

    return lookup


def _as_json(found: "Diversity") -> dict[str, Any]:
    return {
        "network": _spread(found.network),
        "lists": {name: _spread(spread) for name, spread in found.lists.items()},
        "warnings": [
            {
                "channel": each.channel,
                "kind": str(each.dimension),
                "which": each.group.name,
                "addresses": each.group.addresses,
                "share": each.group.share,
                "limit": each.limit,
            }
            for each in found.warnings
        ],
    }


def _spread(spread: "Spread") -> dict[str, Any]:
    return {
        "addresses": spread.addresses,
        **{
            str(dimension): [
                {"which": each.name, "addresses": each.addresses, "share": each.share} for each in groups
            ]
            for dimension, groups in spread.groups.items()
        },
    }
