"""Block lists: destinations that clients are kept away from, such as those that malware talks to.

A file is CSV, as psiphond's: an address or a name, who says so, and what it is suspected of.

    # comment
    192.0.2.7,a-feed,botnet
    "malware.example",a-feed,phishing

A list may have millions of lines, and every process has one. So it is not the destinations that are kept but
Python's own hash of each, 64 bits and different in every process: 12 bytes a line. With a million lines, one
look-up in ten million million takes what is not listed for something that is.
"""

import csv
import socket
from array import array
from bisect import bisect_left
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from headrace.base.errors import DocumentError
from headrace.codec.host_names import question_name
from headrace.documents.port_policy import Address

__all__ = ["NO_BLOCKLIST", "Blocklist", "Reason", "read_blocklist"]

#: A row is a hash, and a reason's place in the list of reasons.
_SHIFT: Final = 32
_MAPPED: Final = bytes(10) + b"\xff\xff"


class Reason(NamedTuple):
    """Why a destination is listed."""

    source: str  #: who says so
    subject: str  #: what it is suspected of


class Blocklist:
    """What is listed. `version` tells apart what it was read from."""

    def __init__(self, rows: list[int], reasons: Sequence[Reason], version: Hashable = None) -> None:
        """`rows` are sorted in place: there is no room for a second list."""
        rows.sort()
        self.version = version
        self._hashes = array("q", (row >> _SHIFT for row in rows))
        self._reasons = reasons
        self._whys = array("I", (row & (1 << _SHIFT) - 1 for row in rows))

    def __len__(self) -> int:
        """Lines there are."""
        return len(self._hashes)

    def address(self, address: Address) -> tuple[Reason, ...]:
        """Return why an address is listed, nothing if it is not."""
        return self._find(_packed(address.packed))

    def name(self, name: str) -> tuple[Reason, ...]:
        """Return why a name is listed. It must be in the form that name servers are asked for."""
        return self._find(name)

    def _find(self, destination: bytes | str) -> tuple[Reason, ...]:
        if not self._hashes:
            return ()
        wanted = hash(destination)
        start = end = bisect_left(self._hashes, wanted)
        while end < len(self._hashes) and self._hashes[end] == wanted:
            end += 1
        return tuple(dict.fromkeys(self._reasons[why] for why in self._whys[start:end]))


NO_BLOCKLIST: Final = Blocklist([], ())
"""That of a server without one."""


def read_blocklist(lines: Iterable[str], file: str = "block list", *, version: Hashable = None) -> Blocklist:
    """Return the list in these lines, which were read from `file`. Raises DocumentError naming the line."""
    reasons: dict[Reason, int] = {}
    rows: list[int] = []
    source = _Lines(lines)
    try:
        for row in csv.reader(source, strict=True):
            destination, reason = _read(row)
            rows.append(hash(destination) << _SHIFT | reasons.setdefault(reason, len(reasons)))
    except (csv.Error, ValueError) as error:
        raise DocumentError(f"{file}: line {source.number}: {error}") from error
    return Blocklist(rows, list(reasons), version)


class _Lines:
    """The lines that say something, and the number of the last one read."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.number = 0
        self._lines = lines

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.number += 1
            if line.strip() and not line.startswith("#"):
                yield line


def _read(row: list[str]) -> tuple[bytes | str, Reason]:
    """Return what is listed, in the form that is hashed, and why. Raises ValueError."""
    if len(row) != 3:
        raise ValueError("write three fields: an address or a name, who says so, and what it is suspected of")
    text = row[0].strip()
    destination = _address(text) or _name(text)
    if destination is None:
        raise ValueError(f"{text} is neither an address nor a name")
    return destination, Reason(row[1], row[2])


def _address(text: str) -> bytes | None:
    """Return the hashed form of an address, None for what is none. The system is quick at it."""
    try:
        return _packed(socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text))
    except (OSError, ValueError):
        return None


def _packed(address: bytes) -> bytes:
    """Return the hashed form of an address, which is the same for IPv4 inside IPv6, and is no name's."""
    return b"\0" + address.removeprefix(_MAPPED)


def _name(text: str) -> str | None:
    name = question_name(text)
    return None if name is None or name.rpartition(".")[2].isdigit() else name
