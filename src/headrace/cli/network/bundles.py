"""`headrace network bundle …`: what users start with, as a configuration, a file that runs, a link."""

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from headrace.base.errors import DocumentError, OperatorError
from headrace.cli.files import open_output, read_file
from headrace.cli.network.place import Place, actor, with_place
from headrace.cli.network.tables import show_facts
from headrace.cli.progress import progress
from headrace.cli.words import servers as so_many

if TYPE_CHECKING:
    from headrace.network.book import View
    from headrace.network.model import Campaign

__all__ = ["bundle", "campaign_of", "expiry", "made_bundle"]

_UNITS: Final = {"h": "hours", "d": "days", "w": "weeks"}
_file = click.Path(path_type=Path, dir_okay=False)
_json = click.option("--json", "as_json", is_flag=True, help="Report for programs.")
_sponsor = click.option("--sponsor", default="", help="Whose; not needed where there is one only.")
_channel = click.option("--channel", default="", help="For which route; not needed where there is one only.")


@click.group()
def bundle() -> None:
    """What users start with: a configuration with servers built in, a file that runs, a link.

    \b
    headrace network bundle build --output to-users
    headrace network bundle link --expires 7d --qr
    """


@bundle.command()
@with_place
@_sponsor
@_channel
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), default=".", help="Where to.")
@click.option("--no-archive", is_flag=True, help="Leave out the file that runs.")
@_json
def build(place: Place, sponsor: str, channel: str, output: Path, no_archive: bool, as_json: bool) -> None:
    """Make a campaign's bundle, and a client in one file that has it built in.

    `headrace-CHANNEL.pyz` runs with a bare Python of this version on machines of this kind; the bundle is
    also a configuration for any client. What went into it is kept in the audit log.

    \b
    headrace network bundle build --sponsor example --channel web --output to-users
    """
    from headrace.network.bundles.archive import make_archive, pack_base
    from headrace.network.bundles.checks import bundle_facts
    from headrace.network.bundles.source import archive_name

    with place.book() as book:
        with book.view() as view:
            campaign = campaign_of(view, sponsor, channel)
            data, bucket, name = made_bundle(view, campaign), campaign.bucket_id, campaign.channel.name
        archive = archive_name(name)
        facts, files = bundle_facts(data), {f"{Path(archive).stem}-bundle.json": data}
        if not no_archive:
            with progress("packing the client", in_bytes=False, quiet=as_json) as bar:
                base = pack_base(bar)
            files[archive] = make_archive(base, data)
            facts["client"] = base.digest
        output.mkdir(parents=True, exist_ok=True)
        for file, content in files.items():
            with open_output(str(output / file)) as stream:
                stream.write(content)
            if file.endswith(".pyz"):
                (output / file).chmod(0o755)
        with book.change(actor(), "bundle build") as change:
            change.record("bundles", bucket, facts)
    if as_json:
        click.echo(json.dumps({**facts, "files": [str(output / file) for file in files]}, indent=2))
        return
    for file, content in files.items():
        click.echo(f"wrote {output / file}: {len(content):,} bytes")
    click.echo(f"it has {so_many(facts['servers'])} built in; SHA-256 {facts['sha256']}")


@bundle.command()
@click.argument("file", type=_file)
@_json
def verify(file: Path, as_json: bool) -> None:
    """Check that a bundle is one with which a client can start, and that nothing private is in it.

    \b
    headrace network bundle verify to-users/headrace-web-bundle.json
    """
    from headrace.network.bundles.checks import bundle_facts, verify_bundle

    data = read_file(file, "the bundle")
    verify_bundle(data)
    facts = bundle_facts(data)
    if not as_json:
        del facts["tags"]
    show_facts(facts, as_json)


@bundle.command()
@click.argument("old", type=_file)
@click.argument("new", type=_file)
def diff(old: Path, new: Path) -> None:
    """Show how two bundles differ. The exit code is 1 if they do.

    \b
    headrace network bundle diff last-week.json this-week.json
    """
    from headrace.network.bundles.checks import differences

    try:
        lines = list(differences(read_file(old, "the old bundle"), read_file(new, "the new bundle")))
    except (ValueError, AttributeError):
        raise DocumentError("one of these is no bundle") from None
    for line in lines:
        click.echo(line)
    sys.exit(1 if lines else 0)


@bundle.command()
@with_place
@_sponsor
@_channel
@click.option(
    "--expires", metavar="TIME", help="Until when it can be used: 12h, 7d, 2w, or a date like 2027-01-31."
)
@click.option("--label", default="", help="What whoever opens it is told of it.")
@click.option(
    "--servers", type=click.IntRange(1), help="How many servers it tells of; as a QR code holds, by default."
)
@click.option("--qr", is_flag=True, help="Show it as a QR code, too.")
@click.option("--svg", type=_file, help="Write the QR code to a picture.")
@click.option("--png", type=_file, help="Write the QR code to a picture.")
@_json
def link(
    place: Place,
    sponsor: str,
    channel: str,
    expires: str | None,
    label: str,
    servers: int | None,
    qr: bool,
    svg: Path | None,
    png: Path | None,
    as_json: bool,
) -> None:
    """Print a link for one person to give to another: `headrace connect LINK` connects with it.

    After its expiry clients refuse it; servers do not know of it, and whoever has connected before goes on
    knowing the network.

    \b
    headrace network bundle link --expires 7d --qr
    """
    from headrace.network.bundles.sharing import fitting, qr_picture, qr_text, share

    with place.book() as book:
        until = None if expires is None else expiry(expires, book.clock.time())
        with book.view() as view:
            campaign = campaign_of(view, sponsor, channel)
            data, bucket = made_bundle(view, campaign), campaign.bucket_id
        shared = (
            fitting(data, until, label) if servers is None else share(data, until, label, servers=servers)
        )
        with book.change(actor(), "bundle link") as change:
            change.record(
                "links", bucket, {"expires": until and until.isoformat(), "servers": shared.servers}
            )
    for file, kind in ((svg, "svg"), (png, "png")):
        if file is not None:
            with open_output(str(file)) as stream:
                stream.write(qr_picture(shared.link, kind))
    if as_json:
        facts: dict[str, Any] = {"link": shared.link, "servers": shared.servers, "left_out": shared.left_out}
        click.echo(json.dumps({**facts, "expires": until and until.isoformat()}, indent=2))
        return
    if qr:
        click.echo(qr_text(shared.link))
    click.echo(shared.link)
    told = f"it tells of {so_many(shared.servers)}" + (
        f", and not of {shared.left_out:,}" if shared.left_out else ""
    )
    click.echo(
        f"{told}; it can be used {'for ever' if until is None else f'until {until:%Y-%m-%d %H:%M} UTC'}",
        err=True,
    )


def campaign_of(view: "View", sponsor: str, channel: str) -> "Campaign":
    """Return the campaign of a sponsor on a channel, or the only one there is. Raises OperatorError."""
    from headrace.network.model import Campaign

    found = [
        campaign
        for campaign in view.all(Campaign)
        if (not sponsor or campaign.sponsor_id == view.sponsor(sponsor).id)
        and (not channel or campaign.channel_id == view.channel(channel).id)
    ]
    if len(found) == 1:
        return found[0]
    if not found:
        raise OperatorError("there is no such campaign; add one with `headrace network campaign add`")
    names = ", ".join(sorted(f"{each.sponsor.name} on {each.channel.name}" for each in found)[:5])
    raise OperatorError(f"there are several campaigns: {names}; say which with --sponsor and --channel")


def made_bundle(view: "View", campaign: "Campaign") -> bytes:
    """Return the bundle of a campaign as it is now. Raises OperatorError, DocumentError."""
    from headrace.network.bundles.source import bundle as make
    from headrace.network.publish.sources.material import Material
    from headrace.network.rendering.network import NetworkRendering

    return make(Material(view, NetworkRendering(view)), campaign)


def expiry(text: str, now: float) -> datetime:
    """Return a time in the future: so many hours, days or weeks from now, or a date. Raises OperatorError."""
    match = re.fullmatch(r"(\d{1,4})([hdw])", text)
    moment = datetime.fromtimestamp(now, UTC)
    if match:
        return moment + timedelta(**{_UNITS[match[2]]: int(match[1])})
    try:
        until = datetime.fromisoformat(text)
    except ValueError:
        raise OperatorError(f"--expires {text}: write 12h, 7d, 2w or a date like 2027-01-31") from None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    if until <= moment:
        raise OperatorError(f"--expires {text}: that has passed")
    return until
