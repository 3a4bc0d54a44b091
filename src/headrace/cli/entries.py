"""`headrace entries`: what server entries say, who signed them, and several lists made into one."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from headrace.base.errors import DocumentError, OperatorError
from headrace.cli.entry_lines import EntryLine, entry_lines, sources_argument
from headrace.cli.files import STANDARD, open_output, read_file
from headrace.cli.json_objects import json_objects
from headrace.cli.root import LazyGroup, complain
from headrace.cli.words import printable

__all__ = ["decode", "encode", "entries", "show"]

_WIDTH = 160


@click.group(
    cls=LazyGroup,
    lazy={
        "show": "headrace.cli.entries:show",
        "decode": "headrace.cli.entries:decode",
        "encode": "headrace.cli.entries:encode",
        "sign": "headrace.cli.entries_sign:sign",
        "verify": "headrace.cli.entries_sign:verify",
        "merge": "headrace.cli.entries_merge:merge",
        "keygen": "headrace.cli.entries_sign:keygen",
    },
)
def entries() -> None:
    """Read, change and sign server entries.

    An entry is all that a client needs to reach one server. Encoded, it is a line of hexadecimal; a list of
    servers is a file of such lines. Entries are given as files, as the line itself, or as "-" for standard
    input.

    \b
    headrace entries show server-entry.dat
    headrace entries decode old.list | jq '.configurationVersion += 1' |
        headrace entries encode - | headrace entries sign - --private-key signing-key
    """


@click.command()
@sources_argument
@click.option("--public-key", help="Check signatures with this key: its text, a file, or a configuration.")
@click.option("--details", "detailed", is_flag=True, help="Show all fields of every entry, not a table.")
@click.option("--secrets", is_flag=True, help="Show keys and passwords too. Mind who sees your screen.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def show(
    sources: tuple[str, ...], public_key: str | None, detailed: bool, secrets: bool, as_json: bool
) -> None:
    """Show entries in a table: where the servers are, what they speak, who signed.

    A single entry is shown with all its fields. Keys and passwords are hidden.

    \b
    headrace entries show server-entry.dat
    headrace entries show servers.list --public-key signing-key.pub
    """
    from rich.console import Console
    from rich.text import Text

    from headrace.cli.entry_table import details, summarize, table
    from headrace.cli.keys import entry_verifying_key

    key = None if public_key is None else entry_verifying_key(public_key)
    # What is not shown on a screen is not cut to the width of one.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
    failed: list[str] = []
    decoded = list(_decoded(sources, failed))
    summaries = [summarize(fields, line.where, key) for line, fields in decoded]
    if as_json:
        for summary, (_, fields) in zip(summaries, decoded, strict=True):
            click.echo(json.dumps({**summary.as_json(), **({"fields": fields} if secrets else {})}))
    elif detailed or secrets or len(decoded) == 1:
        for summary, (line, fields) in zip(summaries, decoded, strict=True):
            console.print(Text(f"{line.where}: signature: {printable(summary.signature)}", style="bold"))
            for problem in summary.problems:
                console.print(Text(printable(problem), style="red"))
            console.print(details(fields, secrets=secrets))
    elif decoded:
        console.print(table(summaries))
    sys.exit(1 if failed else 0)


@click.command()
@sources_argument
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
def decode(sources: tuple[str, ...], as_json: bool) -> None:
    """Print entries as JSON objects, with all their fields, secrets included.

    \b
    headrace entries decode server-entry.dat
    headrace entries decode servers.list --json | jq -r .region | sort | uniq -c
    """
    failed: list[str] = []
    for _, fields in _decoded(sources, failed):
        click.echo(json.dumps(fields, indent=None if as_json else 4))
    sys.exit(1 if failed else 0)


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE|-]...")
@click.option("--output", default=STANDARD, help="File to write, instead of standard output.")
def encode(files: tuple[str, ...], output: str) -> None:
    """Make entries of JSON objects: what `headrace entries decode` prints, or a list of such objects.

    A field changed after signing makes the signature bad: sign again.

    \b
    headrace entries encode entry.json
    """
    from headrace.documents.entry_fields import encode_fields

    if not files:
        raise OperatorError('there is nothing to encode; name a file, or "-" for standard input')
    with open_output(output, private=True) as stream:
        for file in files:
            for fields in json_objects(read_file(Path(file), "the file"), file):
                stream.write(encode_fields(fields).encode() + b"\n")


def _decoded(sources: tuple[str, ...], failed: list[str]) -> Iterator[tuple[EntryLine, dict[str, object]]]:
    """Yield the entries with their fields; the others are complained about, and kept in `failed`."""
    for line in entry_lines(sources):
        try:
            fields = line.decode()
        except DocumentError as error:
            complain(str(error))
            failed.append(line.where)
        else:
            yield line, fields
