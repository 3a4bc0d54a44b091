"""`headrace network campaign …`: where the files of one sponsor and one channel are."""

import click

from headrace.cli.network.facts import show_entity
from headrace.cli.network.options import json_option
from headrace.cli.network.place import Place, with_place
from headrace.cli.network.tables import show_table

__all__ = ["campaign"]


@click.group()
def campaign() -> None:
    """Campaigns: a sponsor and a channel together, with a place for their files that says nothing of others'.

    A campaign is called by its bucket, three groups of letters and digits.

    \b
    headrace network campaign add --sponsor example --channel web
    headrace network campaign list
    """


@campaign.command("list")
@with_place
@click.option("--sponsor", help="Only this sponsor's.")
@click.option("--channel", help="Only this channel's.")
@json_option
def list_campaigns(place: Place, sponsor: str | None, channel: str | None, as_json: bool) -> None:
    """Show the campaigns and where their files are.

    \b
    headrace network campaign list --sponsor example
    """
    from headrace.network.model import Campaign

    with place.book() as book, book.view() as view:
        where = []
        if sponsor is not None:
            where.append(Campaign.sponsor_id == view.sponsor(sponsor).id)
        if channel is not None:
            where.append(Campaign.channel_id == view.channel(channel).id)
        found = view.all(Campaign, *where)
        rows = [
            {
                "bucket": each.bucket_id,
                "sponsor": each.sponsor.name,
                "channel": each.channel.name,
                "mechanism": each.mechanism,
                "account": each.account,
                "languages": each.languages,
                "platforms": each.platforms,
            }
            for each in sorted(found, key=lambda each: (each.sponsor.name, each.channel.name))
        ]
    show_table(rows, as_json, nothing="there are no campaigns", whole=("bucket",))


@campaign.command()
@with_place
@click.argument("bucket")
@json_option
def show(place: Place, bucket: str, as_json: bool) -> None:
    """Show what is set of the campaign in one BUCKET.

    \b
    headrace network campaign show k3m9-x0aq-77fd
    """
    with place.book() as book, book.view() as view:
        show_entity(view, view.campaign(bucket), as_json)
