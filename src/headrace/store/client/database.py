"""The client store's file, and everything that can happen to it. No SQLite error leaves here.

Work is handed in as functions, so that it can be done again after the file was mended:

    addresses = database.read(lambda: database.column(str, "SELECT ..."), otherwise=[])

* The file cannot be read or written (disk full, locked by another program): said once per outage. Reads
  return what the caller gave as `otherwise`, writes are dropped, and every later call tries again.
* The file is damaged, as a statement finds, or the check after an unclean end: what can be read moves into
  a new file, the damaged one is kept beside it, and the work is done again. Without room for that the store
  goes on in memory, and the next start mends the file.
* The file was removed or replaced under our feet: it is opened anew.
"""

import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from headrace.base.errors import LocalProtocolError, OperatorError
from headrace.store.client.outages import Outages
from headrace.store.client.store_file import Damaged, StoreFile, is_outage

__all__ = ["Database"]

T = TypeVar("T")

_MENDINGS = 3  # of one run; whoever needs more has a broken disk


class Database:
    """Questions to the file, from the thread and the process that opened it.

    `path` None keeps everything in memory. `notify` takes sentences for people. Raises OSError, sqlite3.Error
    or OperatorError when the file can neither be opened nor made.
    """

    def __init__(self, path: Path | None, notify: Callable[[str], None]) -> None:
        self._notify = notify
        self._owner = (os.getpid(), threading.get_ident())
        self._outages = Outages(notify)
        self._told: set[str] = set()
        self._closed = False
        self._file = StoreFile(path, notify)

    # ---- for use inside read and write

    def rows(self, kind: type[T], statement: str, *values: object) -> list[T]:
        """Return rows as tuples of `kind`, such as `tuple[str, int]`."""
        return _convert(self._file.connection.execute(statement, values).fetchall(), kind)

    def column(self, kind: type[T], statement: str, *values: object) -> list[T]:
        """Return the values of a single column."""
        return _convert([value for (value,) in self._file.connection.execute(statement, values)], kind)

    def value(self, kind: type[T], statement: str, *values: object) -> T | None:
        """Return a single value, or None when there is no row."""
        row = self._file.connection.execute(statement, values).fetchone()
        return None if row is None else _convert([row[0]], kind)[0]

    def execute(self, statement: str, *values: object) -> int:
        """Run a statement that returns nothing; return how many rows it changed."""
        return self._file.connection.execute(statement, values).rowcount

    # ---- work

    def read(self, work: Callable[[], T], otherwise: T) -> T:
        """Return the result of `work`, or `otherwise` when the file cannot be read."""
        return self._do(work, otherwise, "read")

    def write(self, work: Callable[[], T], otherwise: T) -> T:
        """Do `work` in a transaction; return its result, or `otherwise` when nothing was written."""
        done = self._do(lambda: self._transaction(work), otherwise, "written")
        self._file.tend_log()
        return done

    def wait(self, seconds: float) -> bool:
        """Wait at most so long for a checkpoint to end; say whether it is still under way."""
        return self._file.wait(seconds)

    def tell(self, text: str) -> None:
        """Notify of something, once."""
        if text not in self._told:
            self._told.add(text)
            self._notify(text)

    def close(self) -> None:
        """Close the file. Closing again does nothing."""
        if not self._closed:
            self._insist_on_owner()
            self._closed = True
            self._file.close()

    def _do(self, work: Callable[[], T], otherwise: T, what: str) -> T:
        self._insist_on_owner()
        try:
            if what == "written":
                self._file.follow()
            try:
                self._file.heed_check()
                done = work()
            except (sqlite3.ProgrammingError, sqlite3.InterfaceError) as error:
                raise LocalProtocolError(f"the client store cannot keep that: {error}") from error
            except (sqlite3.Error, Damaged) as error:
                if is_outage(error) or self._file.mendings == _MENDINGS:
                    raise
                self._file.mend(error)
                done = work()
        except UnicodeEncodeError:  # half a surrogate pair, in a text from outside
            return otherwise
        except (OSError, OperatorError, sqlite3.Error, Damaged) as error:
            self._outages.failed(what, error)
            return otherwise
        self._outages.succeeded(what)
        return done

    def _transaction(self, work: Callable[[], T]) -> T:
        connection = self._file.connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            done = work()
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return done

    def _insist_on_owner(self) -> None:
        if self._closed:
            raise LocalProtocolError("the client store is closed")
        if self._owner != (os.getpid(), threading.get_ident()):
            raise LocalProtocolError("the client store belongs to the thread and process that opened it")


def _convert(values: list[object], kind: type[T]) -> list[T]:
    try:
        return msgspec.convert(values, list[kind])  # type: ignore[valid-type]
    except msgspec.ValidationError as error:
        raise Damaged("a row has the wrong form") from error
