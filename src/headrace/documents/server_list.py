"""Lists of encoded server entries, one per line (server lists spec §1.6).

Two readers exist in the network and differ in what they forgive; both are kept. Each skips entries that
decode but are invalid. A line that does not decode ends the reading.
"""

from collections.abc import Iterable, Iterator

from headrace.base.errors import DocumentError
from headrace.documents.entry_fields import decode_fields, encode_fields, validate_fields

__all__ = ["MAX_LINE", "encode_list", "read_list", "stream_list"]

MAX_LINE = 65_535  # characters in a line of a streamed list


def read_list(text: str, source: str, timestamp: str) -> list[dict[str, object]]:
    """Return the valid entries of a small list held in memory; empty lines are skipped.

    Raises DocumentError, naming the line, when one does not decode: then nothing of the list is used.
    """
    entries = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line:
            fields = _decode(line, number, source, timestamp)
            if _is_valid(fields):
                entries.append(fields)
    return entries


def stream_list(lines: Iterable[str], source: str, timestamp: str) -> Iterator[dict[str, object]]:
    """Yield the valid entries of a large list, line by line as from an open file.

    Raises DocumentError at a line that does not decode, is empty or too long; what came before was yielded.
    """
    for number, raw in enumerate(lines, start=1):
        line = raw.removesuffix("\n").removesuffix("\r")
        if len(line) > MAX_LINE:
            raise DocumentError(f"line {number}: longer than {MAX_LINE} characters")
        fields = _decode(line, number, source, timestamp)
        if _is_valid(fields):
            yield fields


def encode_list(entries: Iterable[dict[str, object]]) -> str:
    """Return the list, without a final line end. Raises DocumentError for an entry no reader would take."""
    lines = [encode_fields(fields) for fields in entries]
    for number, line in enumerate(lines, start=1):
        if len(line) > MAX_LINE:
            raise DocumentError(f"server entry {number} is too long to be listed: {len(line)} characters")
    return "\n".join(lines)


def _decode(line: str, number: int, source: str, timestamp: str) -> dict[str, object]:
    try:
        return decode_fields(line, source, timestamp)
    except DocumentError as error:
        raise DocumentError(f"line {number}: {error}") from error


def _is_valid(fields: dict[str, object]) -> bool:
    try:
        validate_fields(fields)
    except DocumentError:
        return False
    return True
