"""`headrace explain`: what was tried to connect, how far it got, and why it ended."""

import contextlib
from pathlib import Path

import click
from rich.console import Console

from headrace.base.errors import NetworkError, OperatorError
from headrace.cli.explanation import conclusion, headline, hints, table
from headrace.cli.status import find_client, name_option
from headrace.cli.words import printable
from headrace.client.control_place import places
from headrace.client.data_directory import DataDirectory, default_data_directory
from headrace.client.journal_file import JournalFile
from headrace.establishment.journal import Record

__all__ = ["explain"]

#: Attempts shown unless all are asked for.
_SHOWN = 40
#: Columns where nobody says how many there are.
_WIDTH = 120


@click.command()
@name_option
@click.option(
    "--data-root-directory",
    type=click.Path(path_type=Path),
    help="Where the client kept its files, if it does not run any more and this is not known.",
)
@click.option("--all", "everything", is_flag=True, help=f"Show all attempts, not just the last {_SHOWN}.")
@click.option("--json", "as_json", is_flag=True, help="Print an object for programs.")
def explain(name: str, data_root_directory: Path | None, everything: bool, as_json: bool) -> None:
    """Say what a client tried to get connected, how far each attempt got, and why it ended.

    It is about the last time that a client, started with "headrace connect", looked for a tunnel, and works
    after the client has ended, too. No addresses are shown: servers go by the first characters of their tags.

    \b
    headrace explain
    headrace explain --json
    """
    record, problem = _running(name) if data_root_directory is None else (None, "")
    record = record or _kept(name, data_root_directory)
    if record is None:
        raise OperatorError(
            'there is nothing to explain yet; "headrace connect" starts a client', exit_code=1
        )
    if as_json:
        click.echo(record.to_json().decode())
        return
    console = Console(highlight=False)
    if not console.is_terminal and console.width < _WIDTH:
        console = Console(highlight=False, width=_WIDTH)
    console.print(headline(record), style="bold", markup=False, soft_wrap=True)
    if problem and not record.connected:
        console.print(printable(problem), markup=False, soft_wrap=True)
    shown = record.trials if everything else record.trials[-_SHOWN:]
    if left_out := len(record.trials) - len(shown):
        console.print(f"\n{left_out:,} earlier attempts are not shown; --all shows them", soft_wrap=True)
    if shown:
        console.print()
        console.print(table(shown))
    _list(console, "How they ended", conclusion(record))
    _list(console, "What the failures hint at", hints(record))


def _list(console: Console, title: str, lines: list[str]) -> None:
    if lines:
        console.print(f"\n{title}", style="bold", markup=False)
        for line in lines:
            console.print(line, markup=False, soft_wrap=True)


def _running(name: str) -> tuple[Record | None, str]:
    """Return what a running client tells of its attempts, and what it says is wrong."""
    client = find_client(name)
    if client is None:
        return None, ""
    with client, contextlib.suppress(NetworkError):  # it ends at this moment: there is what it has left
        return client.explain(), client.status().problem
    return None, ""


def _kept(name: str, root: Path | None) -> Record | None:
    """Return what the last client left. Raises OperatorError, or DocumentError."""
    if root is not None:
        directories = [DataDirectory(root).path]
    else:
        noted = [place.data() for place in places(name)]
        directories = [*filter(None, noted), DataDirectory(default_data_directory()).path]
    for directory in directories:
        file = JournalFile(directory)
        try:
            record = file.read()
        except OSError as error:
            raise OperatorError(f"{file.path} cannot be read: {error.strerror}", exit_code=1) from error
        if record is not None:
            return record
    return None
