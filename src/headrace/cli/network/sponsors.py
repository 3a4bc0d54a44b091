"""`headrace network sponsor …`: the partners whose pages clients show."""

from collections import Counter

import click

from headrace.cli.network.facts import show_entity
from headrace.cli.network.options import json_option
from headrace.cli.network.place import Place, with_place
from headrace.cli.network.tables import show_table

__all__ = ["sponsor"]


@click.group()
def sponsor() -> None:
    """Sponsors: whose name a client carries, and whose pages it shows.

    \b
    headrace network sponsor add example --home-page https://example.org/
    headrace network sponsor list
    """


@sponsor.command("list")
@with_place
@json_option
def list_sponsors(place: Place, as_json: bool) -> None:
    """Show the sponsors, and for how many regions each has pages.

    \b
    headrace network sponsor list
    """
    from headrace.network.model import Campaign, Sponsor

    with place.book() as book, book.view() as view:
        sponsors = sorted(view.all(Sponsor), key=lambda each: each.name)
        names = {each.id: each.name for each in sponsors}
        owners = Counter(campaign.sponsor_id for campaign in view.all(Campaign))
        rows = [
            {
                "name": each.name,
                "public_id": each.public_id,
                "default": each.id == view.settings.default_sponsor_id,
                "campaigns": owners[each.id],
                "home_pages": sorted(each.home_pages),
                "mobile_home_pages": sorted(each.mobile_home_pages),
                "borrows_from": names.get(each.use_data_from_id) if each.use_data_from_id else None,
            }
            for each in sponsors
        ]
    show_table(rows, as_json, nothing="there are no sponsors", whole=("name", "public_id"))


@sponsor.command()
@with_place
@click.argument("name")
@json_option
def show(place: Place, name: str, as_json: bool) -> None:
    """Show what is set of one sponsor. NAME may be its public id.

    \b
    headrace network sponsor show example
    """
    with place.book() as book, book.view() as view:
        show_entity(view, view.sponsor(name), as_json)
