"""`headrace network sponsor …`: the partners whose pages clients show."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headrace.cli.files import read_file
from headrace.cli.network.changing import Changing, changes
from headrace.cli.network.facts import show_entity
from headrace.cli.network.fields import assign, given, rules
from headrace.cli.network.options import json_option, revision_option
from headrace.cli.network.place import Place, with_place
from headrace.cli.network.tables import show_table

if TYPE_CHECKING:
    from headrace.network.book import Change
    from headrace.network.model import Sponsor

__all__ = ["sponsor"]


_file = click.Path(path_type=Path, dir_okay=False)


def _fields(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options for what is set of a sponsor."""
    for option in (
        click.option(
            "--default", "is_default", is_flag=True, help="Show its pages to clients of unknown ones."
        ),
        click.option(
            "--borrow-from", metavar="SPONSOR", help="Show this one's pages instead; empty: its own."
        ),
        click.option(
            "--page-view-rules", type=_file, help="A file of rules by which page views are counted."
        ),
        click.option("--https-request-rules", type=_file, help="The same of destinations of HTTPS."),
        click.option(
            "--alert-url",
            "alert_urls",
            multiple=True,
            metavar="REASON=URL",
            help="Where clients send users for a reason; repeat it for more, REASON= takes it away.",
        ),
        click.option("--website-banner-link", help="Where the banner of the website leads."),
        click.option("--website-banner", type=_file, help="A PNG file for the website."),
        click.option("--client-banner", type=_file, help="A PNG file for desktop clients."),
    ):
        command = option(command)
    return command


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


@sponsor.command()
@click.argument("name")
@click.option(
    "--home-page", "home_pages", multiple=True, metavar="URL", help="Opened everywhere; repeatable."
)
@_fields
@changes
def add(changing: Changing, name: str, home_pages: tuple[str, ...], **options: Any) -> None:
    """Add a sponsor; the first one is the default. Its public id is drawn.

    Of pages for some regions only, see `headrace network homepage set`.

    \b
    headrace network sponsor add example --home-page https://example.org/
    headrace network sponsor add partner --borrow-from example
    """
    from headrace.network.lifecycle.brands import add_sponsor
    from headrace.network.lifecycle.pages import with_page
    from headrace.network.model import EVERYWHERE

    pages: dict[str, Any] = {}
    for url in home_pages:
        pages = with_page(pages, EVERYWHERE, url)
    with changing.change() as change:
        added = add_sponsor(change, name, home_pages=pages)
        _set(change, added, None, **options)
        if not changing.dry_run:  # what is drawn now is not what will be
            changing.tell(f"the sponsor {added.name} is {added.public_id}", public_id=added.public_id)


@sponsor.command("set")
@click.argument("name")
@_fields
@revision_option
@changes
def set_sponsor(changing: Changing, name: str, revision: int | None, **options: Any) -> None:
    """Set something of a sponsor; what is not given stays. Pages are set by `headrace network homepage`.

    Rules are a file like [{"regex": "^https://example\\.org/", "replace": "news"}]: destinations are counted
    under the label of the first rule that matches.

    \b
    headrace network sponsor set example --client-banner banner.png --https-request-rules rules.json
    headrace network sponsor set example --default --alert-url unsafe-traffic=https://example.org/why
    """
    with changing.change() as change:
        _set(change, change.sponsor(name), revision, **options)


def _set(
    change: "Change",
    sponsor: "Sponsor",
    revision: int | None,
    *,
    is_default: bool,
    borrow_from: str | None,
    alert_urls: tuple[str, ...],
    website_banner_link: str | None,
    https_request_rules: Path | None,
    page_view_rules: Path | None,
    website_banner: Path | None,
    client_banner: Path | None,
) -> None:
    from headrace.network.lifecycle.pages import check_url

    fields = given(
        website_banner_link=check_url(website_banner_link) if website_banner_link else website_banner_link,
        https_request_rules=rules(https_request_rules),
        page_view_rules=rules(page_view_rules),
        website_banner=_banner(website_banner),
        client_banner=_banner(client_banner),
    )
    if borrow_from is not None:
        fields["use_data_from_id"] = change.sponsor(borrow_from).id if borrow_from else None
        if fields["use_data_from_id"] == sponsor.id:
            raise click.UsageError("a sponsor cannot borrow from itself.")
    if alert_urls:
        fields["alert_action_urls"] = _alerts(sponsor.alert_action_urls or {}, alert_urls)
    assign(change, sponsor, revision, fields)
    if is_default:
        change.settings.default_sponsor_id = sponsor.id


def _alerts(there: dict[str, Any], texts: tuple[str, ...]) -> dict[str, Any]:
    """Return the URLs by reason, with those of the reasons named replaced. Raises UsageError."""
    from headrace.network.lifecycle.pages import check_url

    new: dict[str, list[str]] = {}
    for text in texts:
        reason, equals, url = text.partition("=")
        if not reason or not equals:
            raise click.UsageError(f"{text!r} names no reason: write one, and = and a URL.")
        new.setdefault(reason, []).extend([check_url(url)] if url else [])
    return {reason: urls for reason, urls in {**there, **new}.items() if urls}


def _banner(file: Path | None) -> bytes | None:
    from headrace.network.lifecycle.pages import check_banner

    return None if file is None else check_banner(read_file(file, "the banner"))
