"""The ledger: what is known to be where, made from what, and how attempts to renew it went.

An upload is written down twice. Before it, its objects are noted as uncertain: whatever happens then, they
are known to be ours and are put again. After it, the row says what is there. Both are short transactions of
their own, for several uploads at once: nothing waits for a network in them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from headrace.network.book import Book, View
from headrace.network.model import Published
from headrace.network.publish.contents import Key
from headrace.network.publish.kinds import Kind

__all__ = ["UNCERTAIN", "Entry", "Ledger", "read_ledger"]

#: The digest of an object of which only the name is sure.
UNCERTAIN: Final = ""

_FIRST_PAUSE: Final = timedelta(minutes=1)
_LONGEST_PAUSE: Final = timedelta(hours=6)
_LONGEST_ERROR: Final = 500  # characters

_COLUMNS: Final = tuple(Published.__table__.columns)


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the ledger. With no `applied` digest, nothing was ever published completely."""

    id: Key
    applied: str = ""
    applied_at: datetime | None = None
    parts: Mapping[str, str] = field(default_factory=dict)
    objects: Mapping[str, str] = field(default_factory=dict)  #: name -> SHA-256, in the order of their upload
    attempts: int = 0
    error: str = ""
    next_attempt: datetime | None = None

    @property
    def finished(self) -> bool:
        """True when the last attempt went well, so that what is there is as `parts` say."""
        return not self.attempts and UNCERTAIN not in self.objects.values()


def read_ledger(view: View) -> dict[Key, Entry]:
    """Return all entries, by what they are of."""
    known = {str(kind): kind for kind in Kind}
    found: dict[Key, Entry] = {}
    for kind, key, place, *rest in view.session.execute(select(*_COLUMNS)):
        if kind in known:
            identity = Key(known[kind], key, place)
            found[identity] = Entry(identity, *rest)
    return found


class Ledger:
    """Writes to the ledger of a book."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def begin(self, uploads: Iterable[tuple[Key, Mapping[str, str]]]) -> None:
        """Note what is about to be put: all objects of an entry, those that will change as UNCERTAIN."""
        rows = [{**_row(identity), "objects": dict(objects)} for identity, objects in uploads]
        self._upsert(rows, ("objects",))

    def succeed(self, entries: Sequence[Entry]) -> None:
        """Note what is there now."""
        rows = [
            {
                **_row(entry.id),
                "applied": entry.applied,
                "applied_at": entry.applied_at,
                "parts": dict(entry.parts),
                "objects": dict(entry.objects),
                "attempts": 0,
                "error": "",
                "next_attempt": None,
            }
            for entry in entries
        ]
        self._upsert(rows, ("applied", "applied_at", "parts", "objects", "attempts", "error", "next_attempt"))

    def fail(self, identity: Key, attempts: int, error: str) -> None:
        """Note that the last attempt failed, the one of this number since it last went well."""
        pause = min(_FIRST_PAUSE * 2 ** min(attempts - 1, 20), _LONGEST_PAUSE)
        row = {
            **_row(identity),
            "attempts": attempts,
            "error": error[:_LONGEST_ERROR],
            "next_attempt": self._now() + pause,
        }
        self._upsert([row], ("attempts", "error", "next_attempt"))

    def forget(self, identity: Key) -> None:
        """Take out what is there no more."""
        with self._book.write() as session:
            session.execute(delete(Published).filter_by(**_row(identity)))
            session.commit()

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._book.clock.time(), UTC)

    def _upsert(self, rows: list[dict[str, Any]], columns: Iterable[str]) -> None:
        if not rows:
            return
        with self._book.write() as session:
            dialect: Any = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
            insert = dialect.insert(Published)
            changed = {name: insert.excluded[name] for name in columns}
            session.execute(
                insert.on_conflict_do_update(index_elements=["kind", "key", "place"], set_=changed), rows
            )
            session.commit()


def _row(identity: Key) -> dict[str, Any]:
    return {"kind": str(identity.kind), "key": identity.key, "place": identity.place}
