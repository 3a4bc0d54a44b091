"""`headrace resist`: what an observer can tell of our traffic, measured on this machine."""

import asyncio
import contextlib
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headrace.base.errors import OperatorError
from headrace.cli.progress import progress

if TYPE_CHECKING:
    from rich.table import Table

    from headrace.resist.report import Row
    from headrace.resist.suite import Tell

__all__ = ["resist"]

_SIZES = {"ci": 300, "release": 10_000}
#: Segments that a prefix may come in on its way.
_PIECES = (2, 3, 7)


def _size(context: click.Context, parameter: click.Parameter, value: str) -> int:
    if value in _SIZES:
        return _SIZES[value]
    if value.isascii() and value.isdigit() and 0 < int(value) <= 1_000_000:
        return int(value)
    raise click.BadParameter(f"{value!r} is neither ci, nor release, nor a number of connections")


def _names(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in value.split(",")) if value else ()


@click.command()
@click.option(
    "--size",
    default="ci",
    show_default=True,
    callback=_size,
    help="Connections of each mode: ci (300), release (10,000), or a number.",
)
@click.option("--only", callback=_names, help="Detectors, such as F1,F2a,F7. All if not given.")
@click.option("--modes", callback=_names, help="How connections begin, such as bare,http-post.")
@click.option(
    "--peer-server", type=click.Path(path_type=Path, exists=True), help="psiphond, to be judged alike."
)
@click.option("--peer-client", type=click.Path(path_type=Path, exists=True), help="ConsoleClient, likewise.")
@click.option(
    "--peer-size",
    default=100,
    show_default=True,
    type=click.IntRange(1),
    help="Connections of each such pair.",
)
@click.option("--seed", default=1, show_default=True, help="Of what is drawn; the keys are new each time.")
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), help="Keep the captures there.")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the rows, too."
)
@click.option("--markdown", type=click.Path(path_type=Path, dir_okay=False), help="Write the table, too.")
def resist(
    size: int,
    only: tuple[str, ...],
    modes: tuple[str, ...],
    peer_server: Path | None,
    peer_client: Path | None,
    peer_size: int,
    seed: int,
    keep: Path | None,
    json_file: Path | None,
    markdown: Path | None,
) -> None:
    """Look at our own traffic as a censor would.

    A server is started on this machine, clients connect to it over loopback in each mode, and tcpdump
    captures it all. Detectors judge the captures: rules that censors are known to use, and DPI programs. Each
    must first recognise traffic that it has to; one that does not is "not run". Nothing leaves this machine.

    Capturing needs root. The packages of the extra `dev` are needed, and tcpdump, tshark and ndpiReader
    (Debian: apt install tcpdump tshark libndpi-bin).

    Rows are written as they come: a measurement that is broken off leaves what it has found.

    The exit code is 0 if every bar is met, and 1 if one is not, or could not be looked at.

    \b
    headrace resist
    headrace resist --size release --only F1,F7 --json table.json
    headrace resist --peer-server ./psiphond --peer-client ./ConsoleClient
    """
    import msgspec
    from rich.console import Console

    if (peer_server is None) != (peer_client is None):
        raise OperatorError(
            "the deployed programs are judged together: name both --peer-server and --peer-client"
        )
    try:
        from headrace.resist import report
        from headrace.resist.subjects import MODES
        from headrace.resist.suite import MEASURES, Peers, Wanted, measure
    except ImportError as error:
        raise OperatorError(
            f"{error.name} is not installed: install headrace with the extra dev, headrace[dev]"
        ) from error
    for name, known, kind in (
        *((name, MEASURES, "detector") for name in only),
        *((m, MODES, "mode") for m in modes),
    ):
        if name not in known:
            raise OperatorError(f"there is no {kind} {name}: there are {', '.join(known)}")
    peers = None
    if peer_server is not None and peer_client is not None:
        peers = Peers(peer_server.resolve(), peer_client.resolve(), peer_size)
    pieces = () if modes else _PIECES
    wanted = Wanted(size, modes or MODES, frozenset(only or MEASURES), pieces, seed, keep, peers)
    rows: list[Row] = []

    def keep_rows() -> None:
        """Write what there is: a long measurement that is broken off has not been for nothing."""
        if json_file is not None:
            json_file.write_bytes(msgspec.json.format(msgspec.json.encode(report.documents(rows))) + b"\n")
        if markdown is not None:
            markdown.write_text(report.markdown(rows))

    async def gather(tell: "Tell") -> None:
        # What was started ends with us, whichever way we are asked to end.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, signal.raise_signal, signal.SIGINT)
        async with contextlib.aclosing(measure(wanted, tell)) as found:
            async for some in found:
                rows.extend(some)
                keep_rows()

    try:
        with progress("connections", in_bytes=False) as bar:
            told = ""

            def tell(what: str, done: int, total: int) -> None:
                nonlocal told
                if what != told:
                    told = what
                    bar.tell(what)
                bar(done, total)

            asyncio.run(gather(tell))
    finally:
        if rows:
            Console(width=None if sys.stdout.isatty() else 200).print(table(rows))
    sys.exit(0 if rows and all(row.verdict is not False and (row.ran or not row.bar) for row in rows) else 1)


def table(rows: "list[Row]") -> "Table":
    """Return the rows as they are shown."""
    from rich.table import Table

    from headrace.resist.report import COLUMNS, cells

    shown = Table(*COLUMNS)
    for row in rows:
        shown.add_row(*cells(row))
    return shown
