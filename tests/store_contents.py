"""For tests of the client's store: what is in its file, read beside it, and a clock that is set by hand."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from headrace.testing.entries import make_entries

__all__ = ["SetClock", "contents", "versions_of_entries"]


def contents(path: Path) -> dict[str, object]:
    """Return entries by address, the tag index and the tombstones."""
    with closing(sqlite3.connect(path)) as database:
        entries = database.execute("SELECT address, fields FROM entry")
        tags = database.execute("SELECT tag, address, version FROM entry_tag")
        tombstones = database.execute("SELECT tag FROM tombstone ORDER BY tag")
        return {
            "serverEntries": {address: json.loads(fields) for address, fields in entries},
            "tags": {tag: (address, version) for tag, address, version in tags},
            "tombstones": [tag for (tag,) in tombstones],
        }


@dataclass
class SetClock:
    """Stands still until it is set."""

    now: float = 1_700_000_000.0

    def monotonic(self) -> float:
        return self.now

    def boottime(self) -> float:
        return self.monotonic()

    def time(self) -> float:
        return self.now


def versions_of_entries(count: int) -> Callable[[int], list[dict[str, object]]]:
    """Return what gives the same entries in any version; they differ in length, too."""
    local = {"localSource": "REMOTE", "localTimestamp": "2023-01-01T00:00:00Z"}
    entries = [fields | local for fields in make_entries(count)]

    def of_version(version: int) -> list[dict[str, object]]:
        return [
            fields | {"configurationVersion": version, "padding": f"{version} " * (version % 40 * 10)}
            for fields in entries
        ]

    return of_version
