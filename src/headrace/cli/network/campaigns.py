"""`headrace network campaign …`: where the files of one sponsor and one channel are."""

from collections.abc import Callable
from typing import Any

import click

from headrace.cli.network.changing import Changing, changes
from headrace.cli.network.facts import show_entity
from headrace.cli.network.fields import assign, credentials_option, given, read_text, words
from headrace.cli.network.options import json_option, revision_option
from headrace.cli.network.place import Place, with_place
from headrace.cli.network.tables import show_table

__all__ = ["campaign"]


def _fields(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options for what may be changed of a campaign."""
    for option in (
        credentials_option,
        click.option(
            "--custom-download-site/--our-download-site",
            default=None,
            help="Whether the pages for downloads are made by others and not to be written over.",
        ),
        click.option("--alternate-bucket", "alternate_bucket_id", help="Where files are as well."),
        click.option(
            "--platforms", type=words, help="Platforms to build for, with commas between; none: all."
        ),
        click.option("--languages", type=words, help="Languages in mail, with commas between; none: all."),
        click.option("--account", help="The address that is written to, or another account."),
    ):
        command = option(command)
    return command


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


@campaign.command()
@click.option("--sponsor", required=True, help="Whose pages clients show; the name or public id.")
@click.option("--channel", required=True, help="By which clients get to users; the name or public id.")
@click.option("--mechanism", default="", help="How, like email.")
@click.option("--bucket", default="", help="Where its files are to be; drawn unless given.")
@_fields
@changes
def add(
    changing: Changing,
    sponsor: str,
    channel: str,
    mechanism: str,
    bucket: str,
    credentials: str | None,
    **fields: Any,
) -> None:
    """Add a campaign: from now on lists are published for it, and bundles can be built.

    \b
    headrace network campaign add --sponsor example --channel web
    headrace network campaign add --sponsor example --channel mail --mechanism email --account get@example.org
    """
    from headrace.network.lifecycle.brands import add_campaign

    with changing.change() as change:
        added = add_campaign(
            change,
            change.sponsor(sponsor),
            change.channel(channel),
            mechanism=mechanism,
            bucket=bucket,
            **given(**fields),
        )
        if credentials is not None:
            change.set_secrets(added, {"credentials": read_text(credentials) or None})
        if not changing.dry_run:  # what is drawn now is not what will be
            changing.tell(f"its files will be in {added.bucket_id}", bucket=added.bucket_id)


@campaign.command("set")
@click.argument("bucket")
@_fields
@revision_option
@changes
def set_campaign(
    changing: Changing, bucket: str, credentials: str | None, revision: int | None, **fields: Any
) -> None:
    """Set something of the campaign in one BUCKET; what is not given stays, its bucket always.

    \b
    headrace network campaign set k3m9-x0aq-77fd --languages fa,en --platforms android,windows
    """
    with changing.change() as change:
        found = change.campaign(bucket)
        assign(change, found, revision, given(**fields))
        if credentials is not None:
            change.set_secrets(found, {"credentials": read_text(credentials) or None})
