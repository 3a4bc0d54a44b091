"""`headrace network provider …`: the accounts at hosting companies."""

from collections import Counter

import click

from headrace.cli.network.facts import show_entity
from headrace.cli.network.options import json_option
from headrace.cli.network.place import Place, with_place
from headrace.cli.network.tables import show_table

__all__ = ["provider"]


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
