"""`headrace network homepage …`: the pages that clients of a sponsor open once they are connected."""

from typing import TYPE_CHECKING, Any

import click

from headrace.cli.network.changing import Changing, changes
from headrace.cli.network.fields import assign
from headrace.cli.network.options import json_option, revision_option
from headrace.cli.network.place import Place, with_place
from headrace.cli.network.tables import show_table

if TYPE_CHECKING:
    from headrace.network.book import View

__all__ = ["homepage"]

#: The region of pages for wherever there are no others.
_EVERYWHERE = "None"


def _country(text: str) -> str:
    """Return a region as it is written."""
    return _EVERYWHERE if text.casefold() == _EVERYWHERE.casefold() else text.upper()


_region = click.option(
    "--region",
    type=_country,
    metavar="CC",
    default=_EVERYWHERE,
    help="For users in this country, two letters; everywhere else unless given.",
)
_mobile = click.option("--mobile", is_flag=True, help="For Android and iOS only.")


@click.group()
def homepage() -> None:
    """The pages that clients of a sponsor open, by the country that users are in.

    In a URL client_region=XX, client_asn=XX, device_region=XX and client_platform=XX are filled in.

    \b
    headrace network homepage set example https://example.org/?client_region=XX
    headrace network homepage test example --region IR --platform Android
    """


@homepage.command("set")
@click.argument("sponsor")
@click.argument("urls", nargs=-1, required=True, metavar="URL...")
@_region
@_mobile
@click.option("--add", is_flag=True, help="Keep those that are there for this region.")
@revision_option
@changes
def set_pages(
    changing: Changing,
    sponsor: str,
    urls: tuple[str, ...],
    region: str,
    mobile: bool,
    add: bool,
    revision: int | None,
) -> None:
    """Set the pages of a sponsor for one region, or for everywhere that has none of its own.

    \b
    headrace network homepage set example https://example.org/
    headrace network homepage set example --region IR https://example.org/fa/ https://example.net/fa/
    """
    from headrace.network.lifecycle.pages import with_page

    with changing.change() as change:
        found = change.sponsor(sponsor)
        there = found.mobile_home_pages if mobile else found.home_pages
        pages = dict(there) if add else {name: each for name, each in there.items() if name != region}
        for url in urls:
            pages = with_page(pages, region, url)
        # The order of regions means nothing: without a difference in pages there is none to publish.
        if pages != there:
            assign(change, found, revision, {_column(mobile): pages})


@homepage.command()
@click.argument("sponsor")
@click.argument("url", required=False)
@_region
@_mobile
@revision_option
@changes
def unset(
    changing: Changing, sponsor: str, url: str | None, region: str, mobile: bool, revision: int | None
) -> None:
    """Take away one page of a sponsor for one region, or all of that region.

    \b
    headrace network homepage unset example --region IR
    """
    from headrace.network.lifecycle.pages import without_page

    with changing.change() as change:
        found = change.sponsor(sponsor)
        pages = without_page(found.mobile_home_pages if mobile else found.home_pages, region, url)
        assign(change, found, revision, {_column(mobile): pages})


@homepage.command()
@with_place
@click.argument("sponsor")
@click.option(
    "--region", type=_country, metavar="CC", default=_EVERYWHERE, help="Where the user is, two letters."
)
@click.option("--asn", default=_EVERYWHERE, help="The number of the autonomous system there.")
@click.option(
    "--device-region", type=_country, metavar="CC", default=_EVERYWHERE, help="Where the device says it is."
)
@click.option(
    "--platform",
    default="Windows",
    show_default=True,
    type=click.Choice(["Android", "iOS", "Windows", "Other"], case_sensitive=False),
    help="What the client runs on.",
)
@json_option
def test(
    place: Place, sponsor: str, region: str, asn: str, device_region: str, platform: str, as_json: bool
) -> None:
    """Show which pages a client of a sponsor would get, with everything filled in.

    They are read from the very file that servers would be given now, as servers read it.

    \b
    headrace network homepage test example --region IR --platform Android
    """
    from headrace.documents.psinet import Audience

    with place.book() as book, book.view() as view:
        audience = Audience(
            sponsor_id=view.sponsor(sponsor).public_id,
            region=region,
            asn=asn,
            device_region=device_region,
            platform=platform,
            mobile=platform in ("Android", "iOS"),
        )
        rows = [{"url": url} for url in sorted(_pages(view, audience))]
    show_table(rows, as_json, nothing="it would get no page", whole=("url",))


def _pages(view: "View", audience: Any) -> list[str]:
    from headrace.base.rng import SYSTEM_RNG
    from headrace.documents.psinet import read_psinet
    from headrace.network.exports.psinet import psinet_file
    from headrace.network.rendering.entries import EntryRenderer

    file = psinet_file(view, [], EntryRenderer(view, None))
    return read_psinet(file).home_pages(audience, SYSTEM_RNG)


def _column(mobile: bool) -> str:
    return "mobile_home_pages" if mobile else "home_pages"
