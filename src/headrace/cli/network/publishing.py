"""What is published, and where to: what several commands need of it."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from headrace.base.errors import NetworkError, OperatorError
from headrace.cli.progress import progress
from headrace.documents.server_files import DRAINING_FILE

if TYPE_CHECKING:
    from headrace.network.book import Book, View
    from headrace.network.publish.kinds import Kind
    from headrace.network.publish.outcome import Outcome
    from headrace.network.publish.places import Places
    from headrace.network.publish.sources import Source
    from headrace.network.publish.stores.hosts import HostTransport

__all__ = ["places_of", "publish_all", "sources", "stale_lines", "tell_server"]


def sources() -> "Sequence[Source]":
    """Return where all that is published comes from."""
    from headrace.network.bundles.source import SOURCE as BUNDLES
    from headrace.network.publish.sources import SOURCES

    return (*SOURCES, BUNDLES)


def stale_lines(view: "View") -> list[str]:
    """Return what has to be published of the network as the view sees it, a line for each kind."""
    from headrace.network.publish.kinds import KINDS
    from headrace.network.publish.publishing import plan_for
    from headrace.network.rendering.network import NetworkRendering

    found = plan_for(view, NetworkRendering(view), sources())
    return [
        f"{KINDS[kind].letter}  {KINDS[kind].title}: {len(items):,}"
        for kind, items in found.by_kind().items()
    ]


def publish_all(
    book: "Book",
    *,
    only: "Sequence[Kind] | None" = None,
    first: "Sequence[Kind]" = (),
    due: bool = False,
    quiet: bool = False,
    reload: Callable[[str], None] | None = None,
) -> "Outcome":
    """Publish what is not as it ought to be, to the places that the settings name.

    `reload` is called with the name of each host on this machine whose files are new; without it, a server
    that runs on them is told.
    """
    from headrace.network.publish.publishing import publish as publish_network
    from headrace.network.rendering.network import NetworkRendering

    with book.view() as view:
        places = places_of(view, reload)
    with progress("publishing", in_bytes=False, quiet=quiet) as bar:
        return publish_network(
            book,
            NetworkRendering,
            places,
            sources=sources(),
            only=only,
            first=first,
            only_due=due,
            progress=bar,
        )


def places_of(view: "View", reload: Callable[[str], None] | None = None) -> "Places":
    """Return the places that the settings name. Raises OperatorError for a URL that is none."""
    from headrace.network.publish.places import Places
    from headrace.network.publish.stores.directory import DirectoryStore
    from headrace.network.publish.stores.opening import open_store

    settings, secrets = view.settings, view.secrets(view.settings)
    store = None
    if settings.public_store:
        store = open_store(
            settings.public_store, secrets.get("store_access_key", ""), secrets.get("store_secret_key", "")
        )
    return Places(
        store=store,
        hosts=_hosts(settings.host_store, reload) if settings.host_store else None,
        exports=DirectoryStore(Path(settings.extract_directory)) if settings.extract_directory else None,
        bundles=DirectoryStore(Path(settings.bundle_directory)) if settings.bundle_directory else None,
    )


def _hosts(url: str, reload: Callable[[str], None] | None) -> "HostTransport":
    from headrace.network.publish.stores.opening import open_hosts

    root = Path(unquote(urlsplit(url).path))
    return open_hosts(url, reload or (lambda name: tell_server(root / name)))


def tell_server(directory: Path) -> None:
    """Have the server that runs on these files, if one does, read them again, and drain if they say so."""
    from headrace.server.control_client import find_server
    from headrace.server.service import OPERATOR

    with suppress(NetworkError, OperatorError, OSError):
        if (server := find_server(directory)) is not None:
            with server:
                server.reload()
                if (directory / DRAINING_FILE).exists():
                    server.drain()
                elif OPERATOR in server.status().paused:
                    server.resume()
