"""`headrace network client-version …`: which versions of the client there are."""

import click

from headrace.cli.network.changing import Changing, changes
from headrace.cli.network.options import json_option
from headrace.cli.network.place import Place, with_place
from headrace.cli.network.tables import show_table

__all__ = ["client_version"]

_PLATFORMS = ("Android", "iOS", "Windows", "Other")


@click.group("client-version")
def client_version() -> None:
    """Versions of the client, which servers tell older clients of: numbers that only grow.

    \b
    headrace network client-version add Windows --note "fixes the banner"
    headrace network client-version list
    """


@client_version.command()
@click.argument("platform", type=click.Choice(_PLATFORMS, case_sensitive=False))
@click.argument("version", type=click.IntRange(1, 2**31 - 1), required=False)
@click.option("--note", default="", help="What is new in it.")
@changes
def add(changing: Changing, platform: str, version: int | None, note: str) -> None:
    """Add a version, the next one unless its number is given. Its package has to be published before.

    \b
    headrace network client-version add Android 412
    """
    from headrace.network.lifecycle.brands import add_client_version

    with changing.change() as change:
        added = add_client_version(change, platform, version, note)
        changing.tell(f"{platform} is at version {added.version}", platform=platform, version=added.version)


@client_version.command("list")
@with_place
@json_option
def list_versions(place: Place, as_json: bool) -> None:
    """Show the versions, the newest of each platform first.

    \b
    headrace network client-version list
    """
    from headrace.network.model import ClientVersion

    with place.book() as book, book.view() as view:
        rows = [
            {
                "platform": each.platform,
                "version": each.version if as_json else str(each.version),
                "added": each.created_at,
                "note": each.note,
            }
            for each in sorted(view.all(ClientVersion), key=lambda each: (each.platform, -each.version))
        ]
    show_table(rows, as_json, nothing="there are no versions yet", whole=("platform", "added"))
