"""What is in a client store's file, read beside the store."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

__all__ = ["contents"]


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
