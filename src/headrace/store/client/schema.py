"""The tables of a client's store, and the steps that lead to them.

    entry            server entries by address; `fields` is the JSON of them all, the rest is for finding them
    entry_tag        tag → address and version; an address that was recycled keeps the record of its old tag
    tombstone        tags that an embedded list does not bring back
    slok, etag, value, dial_parameters    what their names say
    statistic        records to be reported; `reporting` while an attempt is on its way

Rows in `entry` keep their id when they are replaced, so ids have few holes and serve for random draws.
"""

from typing import Final

from headrace.store.sqlite_file import FileKind

__all__ = ["CLIENT_STORE", "TABLES"]

_STEP_1 = """
CREATE TABLE entry (
    id INTEGER PRIMARY KEY,
    address TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    region TEXT NOT NULL,
    tag TEXT NOT NULL,
    fields BLOB NOT NULL
);
CREATE INDEX entry_by_region ON entry (region);
CREATE TABLE entry_tag (
    tag TEXT PRIMARY KEY, address TEXT NOT NULL, version INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE tombstone (tag TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE slok (id BLOB PRIMARY KEY, key BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE etag (url TEXT PRIMARY KEY, etag TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE value (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE dial_parameters (
    address TEXT NOT NULL, network_id TEXT NOT NULL, parameters BLOB NOT NULL,
    PRIMARY KEY (address, network_id)
) WITHOUT ROWID;
CREATE INDEX dial_parameters_by_network ON dial_parameters (network_id);
CREATE TABLE statistic (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, record BLOB NOT NULL, reporting INTEGER NOT NULL,
    UNIQUE (kind, record)
)
"""

CLIENT_STORE = FileKind("client store", application=0x68724353, steps=(_STEP_1,))
"""Each further step has to change the tables: a file is known by them when its header is damaged."""

TABLES: Final[dict[str, dict[str, type]]] = {
    "entry": {"id": int, "address": str, "version": int, "region": str, "tag": str, "fields": bytes},
    "entry_tag": {"tag": str, "address": str, "version": int},
    "tombstone": {"tag": str},
    "slok": {"id": bytes, "key": bytes},
    "etag": {"url": str, "etag": str},
    "value": {"key": str, "value": str},
    "dial_parameters": {"address": str, "network_id": str, "parameters": bytes},
    "statistic": {"id": int, "kind": str, "record": bytes, "reporting": int},
}
"""Every table with its columns and what they hold, the first column leading the primary key."""
