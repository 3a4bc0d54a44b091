"""`headrace entries merge`: several lists made into one, by the rule that clients' stores follow."""

import json
import sys
from collections import Counter
from dataclasses import dataclass, field

import click

from headrace.base.errors import DocumentError
from headrace.cli.entry_lines import EntryLine, entry_lines
from headrace.cli.files import STANDARD, open_output
from headrace.cli.progress import progress
from headrace.cli.words import entries
from headrace.documents.entry_fields import configuration_version

__all__ = ["merge"]

_OUTCOMES = ("added", "replaced", "kept", "dropped")


@dataclass(slots=True)
class _Merger:
    """The entries so far by address, in the order in which the addresses came."""

    newest: dict[str, tuple[int, str]] = field(default_factory=dict)  # version and line

    def take(self, line: EntryLine) -> str:
        """Return what became of an entry. Raises DocumentError when it is of no use."""
        fields = line.importable()
        address, version = str(fields["ipAddress"]), configuration_version(fields)
        known = self.newest.get(address)
        if known is not None and (version < known[0] or line.text == known[1]):
            return "kept"
        self.newest[address] = (version, line.text)
        return "added" if known is None else "replaced"


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE|-...")
@click.option("--output", default=STANDARD, help="File to write, instead of standard output.")
@click.option("--json", "as_json", is_flag=True, help="Report as a JSON object.")
def merge(files: tuple[str, ...], output: str, as_json: bool) -> None:
    """Make one list of several, with one entry for each address.

    Of two entries for the same address, the one with the higher configurationVersion stays, whole; of two
    with the same version, the later one on the command line. Entries of no use to a client are dropped, each
    is told, and the exit code is then 1, though the list is written.

    Lines stay as they are, signatures with them. The report tells for each file how many entries were added,
    replaced one with an older version, were themselves too old (kept is what was there), or were dropped.

    \b
    headrace entries merge servers.list new.list --output servers.list
    """
    merger = _Merger()
    counts = {name: Counter[str]() for name in files}
    with progress("merging") as bar:
        for name, count in counts.items():
            for line in entry_lines([name], bar):
                try:
                    count[merger.take(line)] += 1
                except DocumentError as error:
                    bar.tell(f"headrace: {error}")
                    count["dropped"] += 1
    with open_output(output, private=True) as stream:
        for _, text in merger.newest.values():
            stream.write(text.encode() + b"\n")
    _report(counts, len(merger.newest), as_json, to_stderr=output == STANDARD)
    sys.exit(1 if any(count["dropped"] for count in counts.values()) else 0)


def _report(counts: dict[str, Counter[str]], total: int, as_json: bool, *, to_stderr: bool) -> None:
    if as_json:
        by_file = [
            {"file": name, **{what: count[what] for what in _OUTCOMES}} for name, count in counts.items()
        ]
        click.echo(json.dumps({"entries": total, "files": by_file}), err=to_stderr)
        return
    for name, count in counts.items():
        told = ", ".join(f"{count[what]} {what}" for what in _OUTCOMES if count[what])
        click.echo(f"{name}: {told}", err=to_stderr)
    click.echo(f"{entries(total)} in all", err=to_stderr)
