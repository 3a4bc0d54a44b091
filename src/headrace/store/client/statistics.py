"""Records to be reported once each: kept until a report that held them succeeded.

    take -> report -> confirm, or put_back when it failed

What was on its way when a process ended is to be reported again.
"""

from collections.abc import Iterable

from headrace.store.client.database import Database

__all__ = ["MOST_RECORDS", "StatisticTable"]

MOST_RECORDS = 200
"""Of a kind; newer ones are discarded."""

_ADD = """
INSERT OR IGNORE INTO statistic (kind, record, reporting)
SELECT ?1, ?2, 0 WHERE (SELECT count(*) FROM statistic WHERE kind = ?1) < ?3
"""
_WAITING = "SELECT id, record FROM statistic WHERE kind = ? AND NOT reporting ORDER BY id"
_ANY_WAITING = "SELECT 1 FROM statistic WHERE NOT reporting LIMIT 1"
_ON_ITS_WAY = "SELECT count(*) FROM statistic WHERE reporting"
_CONFIRM = "DELETE FROM statistic WHERE kind = ? AND record = ? AND reporting"
_PUT_BACK = "UPDATE statistic SET reporting = 0 WHERE kind = ? AND record = ?"


class StatisticTable:
    """Records by kind, the oldest first; the same record of a kind is kept once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        if database.read(lambda: database.value(int, _ON_ITS_WAY), otherwise=None):
            database.write(lambda: database.execute("UPDATE statistic SET reporting = 0"), otherwise=0)

    def add(self, kind: str, record: bytes) -> bool:
        """Keep a record; return whether there was room for it and it was not there yet."""
        return (
            self._database.write(
                lambda: self._database.execute(_ADD, kind, record, MOST_RECORDS), otherwise=0
            )
            > 0
        )

    def waiting(self) -> bool:
        """Say whether there are records, of any kind, that are not being reported already."""
        return bool(self._database.read(lambda: self._database.value(int, _ANY_WAITING), otherwise=None))

    def take(self, kind: str, max_bytes: int) -> list[bytes]:
        """Return records to be reported now, together no longer than `max_bytes`.

        They are not returned again before they are put back.
        """
        return self._database.write(lambda: self._take(kind, max_bytes), otherwise=[])

    def confirm(self, kind: str, records: Iterable[bytes]) -> None:
        """Forget records that were reported."""
        self._for_each(_CONFIRM, kind, records)

    def put_back(self, kind: str, records: Iterable[bytes]) -> None:
        """Keep records for the next report: this one failed."""
        self._for_each(_PUT_BACK, kind, records)

    def _take(self, kind: str, max_bytes: int) -> list[bytes]:
        taken = []
        for identity, record in self._database.rows(tuple[int, bytes], _WAITING, kind):
            if len(record) <= max_bytes:
                max_bytes -= len(record)
                taken.append(record)
                self._database.execute("UPDATE statistic SET reporting = 1 WHERE id = ?", identity)
        return taken

    def _for_each(self, statement: str, kind: str, records: Iterable[bytes]) -> None:
        values = list(records)
        self._database.write(
            lambda: sum(self._database.execute(statement, kind, record) for record in values), otherwise=0
        )
