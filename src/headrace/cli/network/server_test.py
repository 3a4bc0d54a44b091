"""`headrace network server test`: a client goes through a server, before anybody is told of it."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import click

from headrace.base.errors import DocumentError, NetworkError, OperatorError
from headrace.cli.network.changing import Changing, changes
from headrace.cli.progress import progress

if TYPE_CHECKING:
    from headrace.network.book import View
    from headrace.network.model import Server

__all__ = ["Trial", "run_trials", "test", "trials_of"]

#: Seconds that one protocol of a server may take to connect.
_PATIENCE: Final = 20.0
#: Servers that are tested at the same time.
_AT_ONCE: Final = 20
_IDS: Final = {"PropagationChannelId": "F" * 16, "SponsorId": "F" * 16}


@dataclass(slots=True)
class Trial:
    """What is to be tried of one server: its entry, and the protocols that it announces."""

    tag: str
    name: str
    entry: str = field(repr=False)
    protocols: Sequence[str]
    egress: str  #: the address that its traffic leaves from
    failures: list[str] = field(default_factory=list)


@click.command()
@click.argument("names", nargs=-1, metavar="SERVER...")
@click.option("--untested", is_flag=True, help="All that have never passed a test.")
@click.option(
    "--egress-url",
    metavar="URL",
    help="A page that answers with the caller's address: it has to be the server's.",
)
@changes
def test(changing: Changing, names: tuple[str, ...], untested: bool, egress_url: str | None) -> None:
    """Connect to servers through every protocol that they announce, as clients would.

    Users are told of a server only when it has passed. One that fails is reported and stays as it was. The
    exit code is 4 when one has failed.

    \b
    headrace network server test --untested
    headrace network server test dro-fai-mesk --egress-url https://ip.example.org/
    """
    from headrace.network.lifecycle.creation import record_test
    from headrace.network.model import Server

    if not names and not untested:
        raise OperatorError("name servers, or choose --untested")
    with changing.place.book() as book, book.view() as view:
        servers = [view.server(name) for name in names]
        if untested:
            servers += view.servers(Server.tested_at.is_(None), Server.removed_at.is_(None))
        trials = trials_of(view, servers)
    with progress("testing", in_bytes=False, quiet=changing.as_json) as bar:
        asyncio.run(run_trials(trials, egress_url, bar))
    with changing.change() as change:
        for trial in trials:
            passed = record_test(change, change.server(trial.tag), trial.failures)
            told = "passed" if passed else "; ".join(trial.failures)
            changing.tell(f"{trial.name}: {told}", **{trial.name: told})
    if any(trial.failures for trial in trials):
        sys.exit(4)


def trials_of(view: "View", servers: "Sequence[Server]") -> list[Trial]:
    """Return what is to be tried of servers. Raises OperatorError for one that has no entry."""
    from headrace.documents.capabilities import IMPLEMENTED_PROTOCOLS
    from headrace.network.rendering.network import NetworkRendering
    from headrace.network.rendering.ports import protocol_ports

    entries = NetworkRendering(view).entries
    return [
        Trial(
            server.tag,
            server.pseudonym,
            entries.encoded(server),
            [name for name in protocol_ports(server.host, server) if name in IMPLEMENTED_PROTOCOLS],
            server.egress_address or server.address,
        )
        for server in servers
    ]


async def run_trials(trials: Sequence[Trial], egress_url: str | None, tell: Any) -> None:
    """Try all, some at a time; each has its failures afterwards."""
    turns, done = asyncio.Semaphore(_AT_ONCE), 0

    async def run(trial: Trial) -> None:
        nonlocal done
        async with turns:
            for protocol in trial.protocols:
                if problem := await _try(trial, protocol, egress_url):
                    trial.failures.append(f"{protocol}: {problem}")
            if not trial.protocols:
                trial.failures.append("it announces no protocol that can be tried")
        done += 1
        tell(done, len(trials))

    await asyncio.gather(*map(run, trials))


async def _try(trial: Trial, protocol: str, egress_url: str | None) -> str:
    """Return what went wrong; "" if nothing did."""
    import headrace

    settings: Mapping[str, object] = {
        **_IDS,
        "TargetServerEntry": trial.entry,
        "LimitTunnelProtocols": [protocol],
        "DisableRemoteServerListFetcher": True,
    }
    try:
        async with headrace.connect(settings, timeout=_PATIENCE) as tunnel:
            if egress_url is None:
                return ""
            import httpx

            async with httpx.AsyncClient(transport=tunnel.httpx_transport(), timeout=_PATIENCE) as web:
                try:
                    seen = (await web.get(egress_url)).text.strip()
                except httpx.HTTPError as error:
                    return f"the page could not be fetched: {type(error).__name__}"
            return (
                "" if seen == trial.egress else f"traffic leaves from {seen[:45]!r}, and not from its address"
            )
    except (NetworkError, DocumentError, OperatorError) as error:
        return str(error)
