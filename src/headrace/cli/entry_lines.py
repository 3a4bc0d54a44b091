"""Where the commands get server entries from: lines in files, on standard input, or on the command line."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import click

from headrace.base.errors import DocumentError, OperatorError
from headrace.cli.files import STANDARD, open_input
from headrace.cli.progress import Bar
from headrace.documents.entry_fields import VERSIONS, configuration_version, decode_fields, validate_fields
from headrace.documents.server_list import MAX_LINE

__all__ = ["EntryLine", "check", "entry_lines", "importable", "sources_argument"]

sources_argument = click.argument("sources", nargs=-1, metavar="[FILE|ENTRY|-]...")
"""Where entries come from, for commands that read them."""

#: Characters in the longest file name; an entry is longer.
_LONGEST_NAME = 255
_MOST_READ = 1 << 20  # bytes of a line, in a file that may be no list at all
#: A bar need not move more often than this many bytes.
_STEP = 1 << 16
#: What people give us instead of lines, by its first byte.
_MISTAKEN = {
    b"\x78": "is a compressed package; write out its entries with: headrace lists verify --output",
    b"{": "is JSON; make lines of it with: headrace entries encode",
    b"[": "is JSON; make lines of it with: headrace entries encode",
}


@dataclass(frozen=True, slots=True)
class EntryLine:
    """An encoded entry, and the words that lead a person to it."""

    where: str
    text: str

    def decode(self) -> dict[str, object]:
        """Return the fields. Raises DocumentError, which names the line."""
        return self._read(decode_fields)

    def importable(self) -> dict[str, object]:
        """Return the fields, if clients can import the entry. Raises DocumentError, which names the line."""
        return self._read(importable)

    def _read(self, read: Callable[[str], dict[str, object]]) -> dict[str, object]:
        try:
            return read(self.text)
        except DocumentError as error:
            raise DocumentError(f"{self.where}: {error}") from error


def entry_lines(sources: Sequence[str], bar: Bar | None = None) -> Iterator[EntryLine]:
    """Yield the lines of all sources in order, blank ones left out. Raises OperatorError.

    A `bar` is told how many bytes are read.
    """
    if not sources:
        raise OperatorError('there are no entries to read; name a file, or "-" for standard input')
    files = [source for source in sources if not _is_entry(source)]
    total = None if STANDARD in files else sum(_size(source) for source in files)
    done = told = 0
    found = False
    for number, source in enumerate(sources, start=1):
        if source not in files:
            yield EntryLine(f"entry {number}" if len(sources) > 1 else "the entry", source)
            found = True
            continue
        name = "standard input" if source == STANDARD else source
        with open_input(source, "the list") as stream:
            for line_number, (line, size) in enumerate(_lines(stream, name), start=1):
                done += size
                if bar is not None and done - told >= _STEP:
                    bar(done, total)
                    told = done
                if line:
                    yield EntryLine(f"{name}:{line_number}", line)
                    found = True
    if not found:
        raise OperatorError(f"{', '.join(sources)}: no entries in it; name a file with one entry a line")


def check(fields: dict[str, object]) -> None:
    """Insist that clients can import the entry, wherever they get it from. Raises DocumentError."""
    validate_fields({**fields, "localSource": "REMOTE", "localTimestamp": "2000-01-01T00:00:00Z"})
    if configuration_version(fields) >= VERSIONS:
        raise DocumentError(f"server entry configurationVersion is above {VERSIONS - 1}")


def importable(text: str) -> dict[str, object]:
    """Return the fields of an encoded entry that clients can import from a list. Raises DocumentError."""
    if len(text) > MAX_LINE:
        raise DocumentError(f"server entry line is longer than the {MAX_LINE:,} characters that clients read")
    fields = decode_fields(text)
    check(fields)
    return fields


def _is_entry(source: str) -> bool:
    is_hex = bool(source) and set(source) <= set("0123456789abcdefABCDEF")
    return is_hex and not (len(source) <= _LONGEST_NAME and Path(source).exists())


def _size(name: str) -> int:
    try:
        return os.stat(name).st_size
    except OSError:
        return 0  # opening it says what is wrong


def _lines(stream: BinaryIO, name: str) -> Iterator[tuple[str, int]]:
    first = True
    while True:
        try:
            raw = stream.readline(_MOST_READ + 1)
        except OSError as error:
            raise OperatorError(f"the list {name} cannot be read: {error.strerror}") from error
        if first and (hint := _MISTAKEN.get(raw[:1])):
            raise OperatorError(f"{name} {hint}")
        if len(raw) > _MOST_READ:
            raise OperatorError(f"{name} has a line longer than any entry; name a file with one entry a line")
        if not raw:
            return
        yield raw.decode("ascii", "replace").strip(), len(raw)
        first = False
