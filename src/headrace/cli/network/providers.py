"""`headrace network provider …`: the accounts at hosting companies."""

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from headrace.cli.network.changing import Changing, changes
from headrace.cli.network.facts import show_entity
from headrace.cli.network.fields import assign, credentials_option, given, read_text, words
from headrace.cli.network.options import json_option, revision_option
from headrace.cli.network.place import Place, with_place
from headrace.cli.network.tables import show_table

if TYPE_CHECKING:
    from headrace.network.book import Change
    from headrace.network.model import Provider

__all__ = ["provider"]


def _fields(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options for what is set of a provider."""
    for option in (
        credentials_option,
        click.option(
            "--weight-for",
            "weights_for",
            multiple=True,
            metavar="CHANNEL=N",
            help="Its weight for the hosts of one channel; repeat it for others.",
        ),
        click.option(
            "--weight", type=click.IntRange(0, 1_000_000), help="Its chance of a new host; 0: none."
        ),
        click.option("--ssh-port", type=click.IntRange(1, 65_535), help="Where new machines are managed."),
        click.option("--regions", type=words, help="Where machines may be made, with commas between."),
        click.option("--plans", type=words, help="Which sizes, with commas between."),
        click.option("--image", help="What new machines begin with."),
        click.option("--driver", help="What makes machines there; local: they are made by hand."),
    ):
        command = option(command)
    return command


@click.group()
def provider() -> None:
    """Providers: where hosts are, and how often a new one goes to each.

    \b
    headrace network provider add acme --weight 3
    headrace network provider list
    """


@provider.command("list")
@with_place
@json_option
def list_providers(place: Place, as_json: bool) -> None:
    """Show the providers, with their hosts and the chance of a new one being there.

    \b
    headrace network provider list
    """
    from headrace.network.model import Host, Provider, Status

    with place.book() as book, book.view() as view:
        providers = sorted(view.all(Provider), key=lambda each: each.name)
        hosts = Counter(host.provider_id for host in view.all(Host) if Status(host.status).alive)
        whole = sum(each.weight for each in providers)
        rows = [
            {
                "name": each.name,
                "driver": each.driver,
                "hosts": hosts[each.id],
                "weight": each.weight,
                "chance": f"{each.weight / whole if whole else 0:.0%}",
                "regions": each.regions,
                "published_id": each.published_id,
            }
            for each in providers
        ]
    show_table(rows, as_json, nothing="there are no providers", whole=("name",))


@provider.command()
@with_place
@click.argument("name")
@json_option
def show(place: Place, name: str, as_json: bool) -> None:
    """Show what is set of one provider; channels with a weight of their own for it, too.

    \b
    headrace network provider show acme
    """
    from headrace.network.model import PropagationChannel, ProviderRank

    with place.book() as book, book.view() as view:
        found = view.provider(name)
        names = {channel.id: channel.name for channel in view.all(PropagationChannel)}
        ranks = view.all(ProviderRank, ProviderRank.provider_id == found.id)
        own = {names[rank.channel_id]: rank.weight for rank in ranks}
        show_entity(view, found, as_json, name=found.name, weights_of_channels=own)


@provider.command()
@click.argument("name")
@_fields
@changes
def add(
    changing: Changing, name: str, weights_for: tuple[str, ...], credentials: str | None, **fields: Any
) -> None:
    """Add a provider. Clients know it by an id that is drawn and says nothing.

    \b
    headrace network provider add acme --image debian-12 --weight 3 --credentials acme.token
    """
    from headrace.network.lifecycle.brands import add_provider

    with changing.change() as change:
        added = add_provider(change, name, **given(**fields))
        _rest(change, added, weights_for, credentials)
        if not changing.dry_run:  # what is drawn now is not what will be
            changing.tell(
                f"clients know {added.name} as {added.published_id}", published_id=added.published_id
            )


@provider.command("set")
@click.argument("name")
@_fields
@revision_option
@changes
def set_provider(
    changing: Changing,
    name: str,
    weights_for: tuple[str, ...],
    credentials: str | None,
    revision: int | None,
    **fields: Any,
) -> None:
    """Set something of a provider; what is not given stays.

    \b
    headrace network provider set acme --weight 1 --weight-for web=5
    """
    with changing.change() as change:
        found = change.provider(name)
        assign(change, found, revision, given(**fields))
        _rest(change, found, weights_for, credentials)


def _rest(
    change: "Change", provider: "Provider", weights_for: tuple[str, ...], credentials: str | None
) -> None:
    """Set what is no column of the provider."""
    from headrace.network.model import ProviderRank

    if credentials is not None:
        change.set_secrets(provider, {"credentials": read_text(credentials) or None})
    ranks = {
        rank.channel_id: rank for rank in change.all(ProviderRank, ProviderRank.provider_id == provider.id)
    }
    for text in weights_for:
        name, _, number = text.rpartition("=")
        if not name or not number.isdecimal():
            raise click.UsageError(f"{text!r} is no weight: write the channel's name, and = and a number.")
        channel = change.channel(name)
        if channel.id in ranks:
            ranks[channel.id].weight = int(number)
        else:
            ranks[channel.id] = change.add(
                ProviderRank(provider_id=provider.id, channel_id=channel.id, weight=int(number))
            )
