"""`headrace explain`: what was tried to connect, how far it got, and why it ended."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from headrace.base.errors import NetworkError, OperatorError
from headrace.cli.explanation import conclusion, headline, hints, lines, table, table_width
from headrace.cli.status import find_client, name_option
from headrace.cli.words import say
from headrace.client.control_place import DEFAULT_NAME, places
from headrace.client.data_directory import DataDirectory, default_data_directory
from headrace.client.journal_file import JournalFile
from headrace.establishment.journal import Record, Trial

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
    help="Where the client kept its files, if it was not started with headrace connect.",
)
@click.option("--all", "everything", is_flag=True, help=f"Show all attempts, not just the last {_SHOWN}.")
@click.option("--json", "as_json", is_flag=True, help="Print an object for programs.")
def explain(name: str, data_root_directory: Path | None, everything: bool, as_json: bool) -> None:
    """Say what a client tried to get connected, how far each attempt got, and why it ended.

    It is about the last time that a client looked for a tunnel, and works after the client has ended, too.
    Of one that was not started with "headrace connect", name the directory that it kept its files in. No
    addresses are shown: servers go by the first characters of their tags.

    \b
    headrace explain
    headrace explain --json
    """
    record, problem = _running(name) if data_root_directory is None else (None, "")
    record = record or _kept(name, data_root_directory)
    if record is None:
        where = f" in {data_root_directory}" if data_root_directory is not None else ""
        raise OperatorError(
            f'there is nothing to explain{where} yet; "headrace connect" starts a client, and '
            "--data-root-directory says where another one kept its files",
            exit_code=1,
        )
    if as_json:
        click.echo(record.to_json().decode())
        return
    console = Console(highlight=False)
    if not console.is_terminal and console.width < _WIDTH:
        console = Console(highlight=False, width=_WIDTH)
    say(console, headline(record), style="bold")
    if problem and not record.connected:
        say(console, problem)
    shown = record.trials if everything else record.trials[-_SHOWN:]
    if left_out := len(record.trials) - len(shown):
        say(console, f"\n{left_out:,} earlier attempts are not shown; --all shows them")
    if shown:
        console.print()
        _show(console, shown)
    _list(console, "How they ended", conclusion(record))
    _list(console, "What that hints at", hints(record))


def _show(console: Console, trials: Sequence[Trial]) -> None:
    if table_width(trials) <= console.width:
        console.print(table(trials))
        return
    for line in lines(trials):
        say(console, line)


def _list(console: Console, title: str, texts: list[str]) -> None:
    if texts:
        say(console, f"\n{title}", style="bold")
        for text in texts:
            say(console, text)


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
    files = _journals(name) if root is None else [JournalFile(DataDirectory(root).path)]
    file = max(files, key=JournalFile.written, default=None)
    if file is None:
        return None
    try:
        return file.read()
    except OSError as error:
        raise OperatorError(f"{file.path} cannot be read: {error.strerror}", exit_code=1) from error


def _journals(name: str) -> list[JournalFile]:
    """Return where clients of a name may have left something."""
    files = []
    for place in places(name):
        data = place.data()
        if data is not None:
            files.append(JournalFile(place.directory, name) if data == place.directory else JournalFile(data))
    if name == DEFAULT_NAME:  # one in the foreground has no name
        with contextlib.suppress(OperatorError):  # somebody without a home
            files.append(JournalFile(DataDirectory(default_data_directory()).path))
    return files
