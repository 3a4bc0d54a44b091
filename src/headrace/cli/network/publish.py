"""`headrace network plan`, `publish`, `status` and `sign-request`: from the network to the world."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from headrace.base.errors import OperatorError
from headrace.cli.files import open_output
from headrace.cli.network.changing import NOTHING_TO_DO, PARTLY
from headrace.cli.network.place import Place, with_place
from headrace.cli.network.publishing import publish_all, sources
from headrace.cli.network.tables import in_words, show_table

if TYPE_CHECKING:
    from headrace.network.publish.kinds import Kind
    from headrace.network.publish.outcome import Outcome

__all__ = ["plan", "publish", "report", "sign_request", "status"]

_LETTERS: Final = "HBLSDFMOP"
_MOST_SHOWN: Final = 40

_json = click.option("--json", "as_json", is_flag=True, help="Report for programs.")
_only = click.option(
    "--only",
    metavar="LETTERS",
    default="",
    help="Only these kinds: H hosts, B bundles, L lists, S D F M extracts, O obfuscated lists, P psinet.",
)


@click.command()
@with_place
@_only
@_json
def plan(place: Place, only: str, as_json: bool) -> None:
    """Show what has to be published now, and why. Nothing is published, or changed.

    The exit code is 3 when there is nothing.

    \b
    headrace network plan
    headrace network plan --only L --json
    """
    from headrace.network.publish.kinds import KINDS
    from headrace.network.publish.publishing import plan_for
    from headrace.network.rendering.network import NetworkRendering

    with place.book() as book, book.view() as view:
        found = plan_for(view, NetworkRendering(view), sources())
        found = found.only(_kinds(only)) if only else found
    if as_json:
        items = [
            {
                "kind": item.id.kind,
                "key": item.id.key,
                "place": item.id.place,
                "remove": item.is_removal,
                "reasons": list(item.reasons),
            }
            for item in found
        ]
        click.echo(json.dumps({"to_publish": items, "current": found.current}, indent=2))
    elif not len(found):
        click.echo(f"nothing is to be published: all of {found.current:,} contents are as they ought to be")
    else:
        for kind, items_of_kind in found.by_kind().items():
            click.secho(f"{KINDS[kind].letter}  {KINDS[kind].title}: {len(items_of_kind):,}", bold=True)
            for item in items_of_kind[:_MOST_SHOWN]:
                verb = "remove " if item.is_removal else ""
                click.echo(f"   {verb}{item.id.key}: {_reasons(item.reasons)}")
            if len(items_of_kind) > _MOST_SHOWN:
                click.echo(f"   and {len(items_of_kind) - _MOST_SHOWN:,} more (--json has them all)")
    if not len(found):
        sys.exit(NOTHING_TO_DO)


@click.command()
@with_place
@_only
@click.option("--first", metavar="LETTERS", default="", help="These kinds before all others.")
@click.option("--due", is_flag=True, help="Leave for later what failed a moment ago.")
@click.option("--dry-run", is_flag=True, help="The same as `headrace network plan`.")
@_json
@click.pass_context
def publish(
    context: click.Context, place: Place, only: str, first: str, due: bool, dry_run: bool, as_json: bool
) -> None:
    """Publish whatever is not as it ought to be: to hosts, to the public store, to departments.

    What is published is read back and checked. Broken off at any point, the same command goes on where it
    stopped. The exit code is 3 when there was nothing to do, and 4 when a part of it has failed: `headrace
    network status` says what.

    \b
    headrace network publish
    headrace network publish --only LOP
    """
    if dry_run:
        context.invoke(
            plan,
            network=place.network,
            key_file=place.key_file,
            environment=place.environment,
            only=only,
            as_json=as_json,
        )
        return
    with place.book(changes=True) as book:
        outcome = publish_all(book, only=_kinds(only) or None, first=_kinds(first), due=due, quiet=as_json)
    report(outcome, as_json)


@click.command()
@with_place
@click.option("--stale", is_flag=True, help="Each content that is not as it ought to be, and why.")
@_json
def status(place: Place, stale: bool, as_json: bool) -> None:
    """Show what there is, what is published of it, and what has to be seen to.

    The exit code is 4 when something has to be.

    \b
    headrace network status
    headrace network status --stale
    """
    from headrace.network.model import Campaign, Host, PropagationChannel, Sponsor
    from headrace.network.publish.publishing import status_of
    from headrace.network.rendering.network import NetworkRendering

    with place.book() as book, book.view() as view:
        found = status_of(view, NetworkRendering(view), sources())
        servers = view.servers()
        counts = {
            "channels": len(view.all(PropagationChannel)),
            "sponsors": len(view.all(Sponsor)),
            "campaigns": len(view.all(Campaign)),
            "hosts": len([host for host in view.all(Host) if host.removed_at is None]),
            "servers": len([server for server in servers if server.removed_at is None]),
            "servers that users are told of": len([server for server in servers if server.published]),
        }
        name = view.settings.network_name
    rows: list[dict[str, Any]] = [
        {
            "kind": str(each.id.kind),
            "key": each.id.key,
            "why": list(each.reasons),
            "since": each.since,
            "failed": each.attempts,
            "error": each.error,
        }
        for each in found.stale
    ]
    if as_json:
        report = {
            "network": name,
            **counts,
            "current": found.current,
            "stale": len(rows),
            "alerts": found.alerts,
        }
        click.echo(json.dumps({**report, "contents": rows if stale else []}, indent=2, default=str))
    else:
        click.secho(f"the network {name!r}", bold=True)
        for what, count in counts.items():
            click.echo(f"  {in_words(count):>7}  {what}")
        click.echo(f"  {found.current:>7,}  contents are published as they ought to be")
        click.echo(f"  {len(rows):>7,}  are not" + ("" if stale or not rows else ": --stale shows them"))
        if stale and rows:
            show_table(rows[:_MOST_SHOWN], False, nothing="", whole=("kind",))
        for alert in found.alerts:
            click.secho(f"! {alert}", fg="red", bold=True)
    if found.alerts:
        sys.exit(PARTLY)


@click.command("sign-request")
@with_place
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default=".")
@_json
def sign_request(place: Place, directory: Path, as_json: bool) -> None:
    """Write to DIRECTORY what keys that are elsewhere have to sign before the next publication.

    There is a file for each key. Take it there, `headrace network sign` it, and take the answer back to
    `headrace network sign-import`. Where entries have to be signed, lists come in a second round. The exit
    code is 3 when there is nothing to sign.

    \b
    headrace network sign-request /media/stick
    """
    from headrace.network.publish.offline import signatures_needed
    from headrace.network.rendering.network import NetworkRendering
    from headrace.network.signing.offline import encode_document, make_request

    with place.book() as book, book.view() as view:
        needs = signatures_needed(view, NetworkRendering(view), sources())
        requests = [make_request(view.settings.network_name, each, view.now) for each in needs]
    files = []
    for request in requests:
        file = directory / f"{request.purpose}-{request.key_id}.request.json"
        with open_output(str(file)) as stream:
            stream.write(encode_document(request))
        files.append({"file": str(file), "key": request.key_id, "items": len(request.items)})
    if as_json:
        click.echo(json.dumps(files, indent=2))
    else:
        for each in files:
            click.echo(f"wrote {each['file']}: {each['items']:,} to be signed")
        if not files:
            click.echo("nothing has to be signed elsewhere")
    if not files:
        sys.exit(NOTHING_TO_DO)


def _kinds(letters: str) -> "list[Kind]":
    from headrace.network.publish.kinds import kind_by_letter

    try:
        return [kind_by_letter(letter) for letter in letters.upper() if letter not in " ,"]
    except KeyError as error:
        raise OperatorError(f"nothing has the letter {error}; there are {', '.join(_LETTERS)}") from None


def report(outcome: "Outcome", as_json: bool) -> None:
    """Say how a publication went, and end with the exit code that says so unless all was done."""
    done = outcome.published + outcome.removed + outcome.unchanged
    if as_json:
        facts = {
            "published": outcome.published,
            "unchanged": outcome.unchanged,
            "removed": outcome.removed,
            "objects": outcome.objects,
            "bytes": outcome.bytes,
            "failed": [
                {"kind": each.id.kind, "key": each.id.key, "error": each.error} for each in outcome.failed
            ],
            "waiting": [
                {"kind": each.id.kind, "key": each.id.key, "for": each.error} for each in outcome.waiting
            ],
            "postponed": outcome.postponed,
            "without_place": outcome.without_place,
        }
        click.echo(json.dumps(facts, indent=2))
    elif done or outcome.complete:
        click.echo(
            f"published {outcome.published:,}, removed {outcome.removed:,}, unchanged {outcome.unchanged:,};"
            f" {outcome.objects:,} objects of {outcome.bytes:,} bytes"
            if done
            else "nothing to publish"
        )
    if not as_json:
        for failure in (*outcome.failed, *outcome.waiting)[:_MOST_SHOWN]:
            click.secho(f"! {failure.id.kind} {failure.id.key}: {failure.error}", fg="red", err=True)
        if outcome.without_place:
            click.echo(f"{outcome.without_place:,} have no place to go: `headrace network setting` sets one")
    if not outcome.complete:
        sys.exit(PARTLY if done else 1)
    if not done:
        sys.exit(NOTHING_TO_DO)


def _reasons(reasons: Sequence[str]) -> str:
    shown = "; ".join(reasons[:3])
    return f"{shown}; and {len(reasons) - 3} more" if len(reasons) > 3 else shown
