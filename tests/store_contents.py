"""For tests of the client's store: what is in its file, read beside it, and a clock that is set by hand."""

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

__all__ = ["SetClock", "contents"]


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

    def time(self) -> float:
        return self.now
