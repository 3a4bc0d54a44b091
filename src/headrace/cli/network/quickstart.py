"""`headrace network quickstart` and `run`: a whole network on this machine."""

import asyncio
import ipaddress
import json
import signal
import socket
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from headrace.base.errors import OperatorError
from headrace.cli.network.bundles import campaign_of, expiry, made_bundle
from headrace.cli.network.init import make_network
from headrace.cli.network.local import LocalNetwork, local_hosts, public_folder
from headrace.cli.network.place import DATABASE, Place, actor, with_place
from headrace.cli.network.publishing import publish_all
from headrace.cli.network.server_test import run_trials, trials_of
from headrace.cli.words import servers

if TYPE_CHECKING:
    from headrace.network.book import Book, Change

__all__ = ["quickstart", "run"]

#: Whom clients are for, in a network that was made by itself.
_CHANNEL: Final = "friends"
_SPONSOR: Final = "home"


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default="network")
@click.option(
    "--address",
    default="127.0.0.1",
    show_default=True,
    help="The address of this machine that users connect to; that of loopback is for trying.",
)
@click.option("--region", default="XX", show_default=True, help="The country code of that address.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port of the server; a free one if 0.")
@click.option(
    "--web-port", type=click.IntRange(0, 65535), default=0, help="Port of the store; a free one if 0."
)
@click.option(
    "--store", metavar="URL", help="Publish to a storage service instead: s3://bucket/prefix?endpoint=…"
)
@click.option("--store-url", metavar="URL", help="Where users reach that.")
@click.option("--store-keys", metavar="ACCESS:SECRET", envvar="HEADRACE_STORE_KEYS", help="What opens that.")
@click.option("--home-page", metavar="URL", help="What clients show; a page of the store by default.")
@click.option("--expires", metavar="TIME", help="Until when the link can be used: 12h, 7d, 2w, or a date.")
@click.option("--json", "as_json", is_flag=True, help="Say on one line when it runs, for programs.")
def quickstart(directory: Path, as_json: bool, expires: str | None, **options: Any) -> None:
    """Make a private network on this machine, run it, and print a link that connects to it.

    Its database, its keys, and what it publishes are in DIRECTORY. A server is made, tested and started; who
    opens the link gets its home page, and learns of a second server once connected. The network runs until
    Ctrl-C; the same command starts it again, with the same link. Everything in it can be looked at and
    changed with the other commands.

    \b
    headrace network quickstart
    headrace network quickstart --address 192.0.2.7 --region DE --port 443 --expires 7d
    """
    show = _Show(as_json)
    if not (directory / DATABASE).exists():
        _make(directory, show, **options)
    place = Place(str(directory), None, "")
    _until_stopped(lambda: _run(place, show, expires, first=True))


@click.command()
@with_place
@click.option("--json", "as_json", is_flag=True, help="Say on one line when it runs, for programs.")
def run(place: Place, as_json: bool) -> None:
    """Run the servers of this network that are this machine, and its store, until Ctrl-C.

    \b
    headrace network run --network my-network
    """
    _until_stopped(lambda: _run(place, _Show(as_json), None, first=False))


@dataclass
class _Show:
    as_json: bool
    begun: float = field(default_factory=time.monotonic)

    def done(self, text: str) -> None:
        if not self.as_json:
            click.echo(f"{click.style('✓', fg='green')} {text}")

    def say(self, text: str = "") -> None:
        if not self.as_json:
            click.echo(text)


def _make(
    directory: Path,
    show: _Show,
    *,
    address: str,
    region: str,
    port: int,
    web_port: int,
    store: str | None,
    store_url: str | None,
    store_keys: str | None,
    home_page: str | None,
) -> None:
    """Make the network, with nothing running yet. What was begun and failed does not stay."""
    if (store is None) != (store_url is None):
        raise OperatorError(
            "--store says where to publish, --store-url where users find it: give both, or neither"
        )
    own_directory = not directory.exists()
    try:
        local = ipaddress.ip_address(address).is_loopback
    except ValueError:
        raise OperatorError(f"--address {address}: give an IP address of this machine") from None
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        make_network(directory, directory.absolute().name, quiet=show.as_json)
        show.done(f"made the network and its keys, in {directory}")
        place = Place(str(directory), None, "")
        with place.book() as book, book.change(actor(), "quickstart") as change:
            settings = change.settings
            if store is not None and store_url is not None:
                settings.public_store, settings.public_urls = store, [store_url]
                access, _, secret = (store_keys or "").partition(":")
                change.set_secrets(settings, {"store_access_key": access, "store_secret_key": secret})
            else:
                settings.public_urls = [f"http://{address}:{web_port or _free_port(address)}"]
            if local:
                # Servers go nowhere near their own machine otherwise, and the page to be shown is on it;
                # and they take nobody in while that is busy, as it may be for other reasons.
                limits = {"LoadPerCore": 0, "AvailableMemoryBytes": 0}
                settings.server_settings = {"AllowBogons": True, "LoadLimits": limits}
                settings.client_settings = {"FetchRemoteServerListRetryPeriodMilliseconds": 5000}
            _fill(change, address, region, port, home_page or f"{settings.public_urls[0]}/")
        show.done("made a channel, a sponsor with its page, and servers")
    except BaseException:
        for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm"):
            (directory / name).unlink(missing_ok=True)
        if own_directory and directory.exists() and not any(directory.iterdir()):
            directory.rmdir()
        raise


def _fill(change: "Change", address: str, region: str, port: int, home_page: str) -> None:
    from headrace.network.lifecycle.brands import add_campaign, add_channel, add_sponsor
    from headrace.network.lifecycle.creation import Machine, create_server, give_role
    from headrace.network.lifecycle.pages import with_page
    from headrace.network.model import EVERYWHERE
    from headrace.network.strategy.roles import Role

    channel = add_channel(change, _CHANNEL)
    sponsor = add_sponsor(change, _SPONSOR, home_pages=with_page({}, EVERYWHERE, home_page))
    add_campaign(change, sponsor, channel)
    machine = Machine(address=address, region=region, name="this-machine")
    known = create_server(
        change, channel, machine, Role.PERMANENT, ports={"OSSH": port or _free_port(address)}
    )
    other = _other_loopback(address)
    if other is None:
        # One server is all there is: those who know it are told of it again.
        give_role(known, Role.DISCOVERY, change.now)
        found = known
    else:
        machine = Machine(address=other, region=region, name="this-machine-too")
        found = create_server(change, channel, machine, Role.DISCOVERY, ports={"OSSH": _free_port(other)})
    found.discovery_start = change.now


async def _run(place: Place, show: _Show, expires: str | None, *, first: bool) -> None:
    async with LocalNetwork() as running:
        with place.book() as book:
            quiet = show.as_json or not first
            with book.view() as view:
                hosts, folder = local_hosts(view), public_folder(view)
            if first:
                await asyncio.to_thread(publish_all, book, only=_early(), quiet=quiet)
            for host in hosts:
                await running.start(host)
            show.done(f"{servers(len(hosts))} on this machine: running")
            if folder is not None:
                await running.serve(folder)
                show.done(f"the store is served at {folder.url()}")
            if first:
                await _test(book, show)
                await asyncio.to_thread(publish_all, book, quiet=quiet, reload=running.reload)
                show.done("published lists, bundles, and what servers tell of the network")
            _tell(book, place, show, expires)
        name = await running.ended()
    raise OperatorError(f"the server of {name} has ended by itself; its log says why", exit_code=1)


async def _test(book: "Book", show: _Show) -> None:
    from headrace.network.lifecycle.creation import record_test
    from headrace.network.model import Server

    with book.view() as view:
        trials = trials_of(view, view.servers(Server.tested_at.is_(None), Server.removed_at.is_(None)))
    await run_trials(trials, None, lambda _done, _total: None)
    if failed := [trial for trial in trials if trial.failures]:
        raise OperatorError(f"no client gets through {failed[0].name}: {failed[0].failures[0]}", exit_code=1)
    if trials:
        with book.change(actor(), "quickstart", "tested") as change:
            for trial in trials:
                record_test(change, change.server(trial.tag), trial.failures)
        show.done("a client went through each server")


def _tell(book: "Book", place: Place, show: _Show, expires: str | None) -> None:
    until = None if expires is None else expiry(expires, book.clock.time())
    with book.view() as view:
        name = view.settings.network_name
    link = _link(book, name, until, show)
    seconds = time.monotonic() - show.begun
    if show.as_json:
        facts = {"network": name, "directory": place.network, "link": link, "seconds": round(seconds, 1)}
        click.echo(json.dumps({**facts, "expires": until and until.isoformat()}))
        return
    show.say(
        f"\nIt runs, after {seconds:.0f} s." + (" On any machine that can reach this one:" if link else "")
    )
    if link:
        show.say("  headrace connect LINK")
    option = "" if place.network == "network" else f" --network {place.network}"
    show.say(f"\nMore of it, in another terminal:  headrace network status{option}")
    show.say("Ctrl-C ends it; the same command starts it again.")


def _link(book: "Book", name: str, until: datetime | None, show: _Show) -> str:
    """Show the link to the only campaign, and return it; "" where there is no such link, which is said."""
    from headrace.network.bundles.sharing import fitting, qr_text

    try:
        with book.view() as view:
            shared = fitting(made_bundle(view, campaign_of(view, "", "")), until, name)
    except OperatorError as error:
        show.say(f"there is no link yet: {error}")
        return ""
    show.say()
    if sys.stdout.isatty():
        show.say(qr_text(shared.link))
    show.say(shared.link)
    return shared.link


def _early() -> Any:
    from headrace.network.publish.kinds import Kind

    return [Kind.HOST, Kind.PSINET]


def _until_stopped(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run until SIGINT or SIGTERM; what was started is ended in order."""

    async def main() -> None:
        task = asyncio.create_task(work())
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            click.echo("stopped", err=True)

    asyncio.run(main())


def _other_loopback(address: str) -> str | None:
    """Return another address of loopback that can be listened on, beside one that is; None without."""
    if not ipaddress.ip_address(address).is_loopback or ":" in address:
        return None
    other = "127.0.0.2" if address != "127.0.0.2" else "127.0.0.3"
    try:
        _free_port(other)
    except OperatorError:
        return None
    return other


def _free_port(address: str) -> int:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            raise OperatorError(f"{address} is no address of this machine: {error.strerror}") from None
        return int(probe.getsockname()[1])
