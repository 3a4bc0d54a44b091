"""Server entries, kept by the network's rules of replacing, revoking and pruning (server lists spec §1.8).

An entry replaces another of its address as a whole: what a newer entry does not offer any more is gone.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime

from headrace.base.clock import Clock
from headrace.base.errors import DocumentError
from headrace.base.rng import Rng
from headrace.crypto.signing import VerifyingKey
from headrace.documents.entry_fields import Fields
from headrace.documents.entry_signature import verify_entry
from headrace.documents.server_entry import ServerEntry
from headrace.store.client.database import Database
from headrace.store.client.entry_row import EntryRow, make_row, parse_fields
from headrace.store.client.importing import SLICE, Progress, import_batches
from headrace.store.client.random_walk import RandomWalk
from headrace.store.client.tables import AFFINITY

__all__ = ["EntryStore", "Progress"]

_BATCH = 100  # entries in a transaction at most
_PAGE = 50  # entries read at once to be counted

_STORE = """
INSERT INTO entry (address, version, region, tag, fields) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (address) DO UPDATE SET
    version = excluded.version, region = excluded.region, tag = excluded.tag, fields = excluded.fields
WHERE ? OR version < excluded.version
"""
_INDEX = "INSERT OR REPLACE INTO entry_tag (tag, address, version) VALUES (?, ?, ?)"
_DELETE_TAG = """
DELETE FROM entry_tag WHERE tag = (SELECT tag FROM entry WHERE address = ?) AND address = ?
"""
#: Jumps from one region to the next, however many entries each has.
_REGIONS = """
WITH RECURSIVE found (region) AS (
    SELECT min(region) FROM entry
    UNION ALL
    SELECT (SELECT min(region) FROM entry WHERE region > found.region) FROM found
    WHERE found.region IS NOT NULL
)
SELECT region FROM found WHERE region <> ''
"""


class EntryStore:
    """The server entries of a store; `clock` says how old one is, and how long a batch of an import takes."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    # ---- storing

    def store(self, fields: Fields, *, replace: bool) -> bool:
        """Keep an entry if it is new, has a higher version than the one kept, or is to `replace` it.

        Returns whether it was written. Raises DocumentError for an invalid entry.
        """
        row = make_row(fields)
        return self._database.write(lambda: self._store(row, replace), otherwise=False)

    def import_entries(
        self, entries: Iterable[Fields], *, replace: bool, batch: int = _BATCH
    ) -> Iterator[Progress]:
        """Store many, in transactions that take some milliseconds each, and yield after each of them.

        Invalid entries are skipped. An exception out of `entries` passes when what came before it is stored.
        """

        def write(rows: list[EntryRow]) -> int | None:
            return self._database.write(
                lambda: sum(self._store(row, replace) for row in rows), otherwise=None
            )

        for progress in import_batches(entries, write, self._clock, batch):
            yield progress
            while self._database.wait(SLICE):  # or the log would grow faster than it is worked off
                yield progress

    def _store(self, row: EntryRow, replace: bool) -> bool:
        database = self._database
        if row.embedded and database.value(int, "SELECT 1 FROM tombstone WHERE tag = ?", row.tag) is not None:
            return False
        if not database.execute(_STORE, *row.columns, replace):
            return False
        database.execute(_INDEX, row.tag, row.address, row.version)
        return True

    # ---- removing

    def delete(self, address: str) -> None:
        """Forget an entry and the tag it has."""
        self._database.write(lambda: self._delete(address), otherwise=None)

    def prune(self, tag: str, minimum_age: float) -> bool:
        """Remove the entry that a server called invalid, unless it is younger than `minimum_age` seconds.

        An entry that has another tag by now stays. Returns whether the tag was known and is gone.
        """
        return self._database.write(lambda: self._prune(tag, minimum_age), otherwise=False)

    def _prune(self, tag: str, minimum_age: float) -> bool:
        database = self._database
        address = database.value(str, "SELECT address FROM entry_tag WHERE tag = ?", tag)
        fields = self._get(address) if address else None
        if address is None or fields is None:
            return False
        if _time_of(fields) + minimum_age > self._clock.time():
            return False
        database.execute("DELETE FROM entry_tag WHERE tag = ?", tag)
        if fields.get("tag") == tag:
            database.execute("DELETE FROM entry WHERE address = ?", address)
            database.execute("DELETE FROM dial_parameters WHERE address = ?", address)
            database.execute("DELETE FROM value WHERE key = ? AND value = ?", AFFINITY, address)
        if fields.get("localSource") == "EMBEDDED":
            database.execute("INSERT OR IGNORE INTO tombstone (tag) VALUES (?)", tag)
        return True

    def _delete(self, address: str) -> None:
        self._database.execute(_DELETE_TAG, address, address)
        self._database.execute("DELETE FROM entry WHERE address = ?", address)

    # ---- finding

    def get(self, address: str) -> dict[str, object] | None:
        """Return the fields of the entry at `address`, all that it came with."""
        return self._database.read(lambda: self._get(address), otherwise=None)

    def by_tag(self, tag: str) -> dict[str, object] | None:
        """Return the fields of the entry at the address that a tag stands for; its tag may be newer."""

        def work() -> dict[str, object] | None:
            address = self._database.value(str, "SELECT address FROM entry_tag WHERE tag = ?", tag)
            return None if address is None else self._get(address)

        return self._database.read(work, otherwise=None)

    def load(self, address: str, verify_key: VerifyingKey | None) -> ServerEntry | None:
        """Return the entry at `address`, ready to be dialled.

        One that cannot be used, or whose signature is not by `verify_key`, is deleted: None.
        """
        text = self._database.read(lambda: self._text(address), otherwise=None)
        if text is None:
            return None
        fields = parse_fields(address, text)
        try:
            if fields is None:
                self._database.tell("a server entry in the client store is damaged; it is removed")
                raise DocumentError("server entry is damaged")
            if verify_key and fields.get("signature"):
                verify_entry(fields, verify_key)
            return ServerEntry.from_fields(fields)
        except DocumentError:
            self.delete(address)
            return None

    def knows(self, address: str, region: str = "") -> bool:
        """Say whether there is an entry at `address`, in the region if one is given."""
        query = "SELECT 1 FROM entry WHERE address = ? AND (? = '' OR region = ?)"
        return bool(
            self._database.read(lambda: self._database.value(int, query, address, region, region), None)
        )

    def count(self, region: str = "") -> int:
        """Return how many entries there are, or how many in a region."""
        clause, values = (" WHERE region = ?", (region,)) if region else ("", ())
        query = f"SELECT count(*) FROM entry{clause}"  # noqa: S608
        return self._database.read(lambda: self._database.value(int, query, *values), None) or 0

    def regions(self) -> list[str]:
        """Return the regions that have entries, in alphabetical order."""
        return self._database.read(lambda: self._database.column(str, _REGIONS), otherwise=[])

    def everything(self) -> Iterator[ServerEntry]:
        """Yield what can be read of all entries, for counting: none is verified, and none deleted.

        They are loaded some at a time. An entry stored or deleted meanwhile may be among them or not.
        """
        query = "SELECT id, address, fields FROM entry WHERE id > ? ORDER BY id LIMIT ?"
        last = 0

        def page() -> list[tuple[int, str, bytes]]:
            return self._database.rows(tuple[int, str, bytes], query, last, _PAGE)

        nothing: list[tuple[int, str, bytes]] = []
        while rows := self._database.read(page, otherwise=nothing):
            last = rows[-1][0]
            for _, address, text in rows:
                with suppress(DocumentError):
                    if (fields := parse_fields(address, text)) is not None:
                        yield ServerEntry.from_fields(fields)

    def addresses(self, rng: Rng, *, region: str = "", first: Sequence[str] = ()) -> Iterator[str]:
        """Yield every address, or those of a region: the `first` that are there, then the others at random.

        An entry stored meanwhile may be left out; one deleted meanwhile is.
        """
        done = set()
        for address in first:
            if address not in done and self.knows(address, region):
                done.add(address)
                yield address
        walk = self._database.read(lambda: self._walk(rng, region), otherwise=None)
        while walk and (found := self._database.read(walk.next_address, otherwise=None)) is not None:
            if found not in done:
                yield found

    def _walk(self, rng: Rng, region: str) -> RandomWalk:
        database = self._database
        clause, values = (" AND region = ?", (region,)) if region else ("", ())
        look = f"SELECT address FROM entry WHERE id = ?{clause}"  # noqa: S608
        remaining = f"SELECT id FROM entry WHERE id <= ?{clause}"  # noqa: S608
        last = database.value(int, "SELECT coalesce(max(id), 0) FROM entry") or 0
        return RandomWalk(
            last,
            rng,
            lambda identity: database.value(str, look, identity, *values),
            lambda: database.column(int, remaining, last, *values),
        )

    def _get(self, address: str) -> dict[str, object] | None:
        text = self._text(address)
        return None if text is None else parse_fields(address, text)

    def _text(self, address: str) -> bytes | None:
        return self._database.value(bytes, "SELECT fields FROM entry WHERE address = ?", address)


def _time_of(fields: Fields) -> float:
    return datetime.fromisoformat(str(fields.get("localTimestamp"))).timestamp()
