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
import struct
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext, suppress
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from headrace.base.errors import LocalProtocolError, OperatorError
from headrace.store.client import salvage
from headrace.store.client.chores import Chore, check, checkpoint
from headrace.store.client.log_check import lost_transactions
from headrace.store.client.outages import Outages
from headrace.store.client.schema import CLIENT_STORE
from headrace.store.sqlite_file import MEMORY, WrongFile, connect, connect_to_read, create, file_id

__all__ = ["Database"]

T = TypeVar("T")

_BUSY_SECONDS = 0.1  # nobody else should be there, and the event loop waits with us
_LONGEST_LOG = 4 << 20  # bytes, then a checkpoint: a log left by a killed process delays the next start
_MENDINGS = 3  # of one run; whoever needs more has a broken disk
_PRAGMAS = (
    "cell_size_check = ON",
    "journal_size_limit = 0",  # a log that starts over is cut, so that its size tells how much is in it
    "temp_store = MEMORY",
    "trusted_schema = OFF",
    "wal_autocheckpoint = 4096",  # pages; only when no thread gets to it
)
#: What is wrong with the world rather than with the file.
_OUTAGES: Final = {
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
}


class _Damaged(Exception):
    """The check found something, or a row holds what nobody put there."""


class Database:
    """One connection, for the thread and the process that made it.

    `path` None keeps everything in memory. `notify` takes sentences for people. Raises OSError, sqlite3.Error
    or OperatorError when the file can neither be opened nor made.
    """

    def __init__(self, path: Path | None, notify: Callable[[str], None]) -> None:
        self._path = path
        self._notify = notify
        self._owner = (os.getpid(), threading.get_ident())
        self._outages = Outages(notify)
        self._told: set[str] = set()
        self._mendings = 0
        self._check: Chore | None = None
        self._checkpoint: Chore | None = None
        self._checkpointed = 0  # bytes of the log
        self._exclusive = False
        self._file_id: tuple[int, int] | None = None
        self._closed = False
        self._connection = self._open()

    # ---- for use inside read and write

    def rows(self, kind: type[T], statement: str, *values: object) -> list[T]:
        """Return rows as tuples of `kind`, such as `tuple[str, int]`."""
        return _convert(self._connection.execute(statement, values).fetchall(), kind)

    def column(self, kind: type[T], statement: str, *values: object) -> list[T]:
        """Return the values of a single column."""
        return _convert([value for (value,) in self._connection.execute(statement, values)], kind)

    def value(self, kind: type[T], statement: str, *values: object) -> T | None:
        """Return a single value, or None when there is no row."""
        row = self._connection.execute(statement, values).fetchone()
        return None if row is None else _convert([row[0]], kind)[0]

    def execute(self, statement: str, *values: object) -> int:
        """Run a statement that returns nothing; return how many rows it changed."""
        return self._connection.execute(statement, values).rowcount

    # ---- work

    def read(self, work: Callable[[], T], otherwise: T) -> T:
        """Return the result of `work`, or `otherwise` when the file cannot be read."""
        return self._do(work, otherwise, "read")

    def write(self, work: Callable[[], T], otherwise: T) -> T:
        """Do `work` in a transaction; return its result, or `otherwise` when nothing was written."""
        done = self._do(lambda: self._transaction(work), otherwise, "written")
        if self._path and not self._exclusive and not self.wait(0) and self._log_is_long():
            self._checkpoint = Chore.begin(checkpoint, self._path)
        return done

    def wait(self, seconds: float) -> bool:
        """Wait at most so long for a checkpoint to end; say whether it is still under way."""
        if self._checkpoint:
            self._checkpoint.join(seconds)
            if self._checkpoint.is_alive():
                return True
            self._checkpoint = None
            self._checkpointed = self._log_size()
        return False

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
            self._end_chores()
            with suppress(sqlite3.Error):
                self._connection.close()

    def _do(self, work: Callable[[], T], otherwise: T, what: str) -> T:
        self._insist_on_owner()
        try:
            if what == "written" and self._moved_away():
                self._reopen()
            try:
                self._heed_check()
                done = work()
            except (sqlite3.ProgrammingError, sqlite3.InterfaceError) as error:
                raise LocalProtocolError(f"the client store cannot keep that: {error}") from error
            except (sqlite3.Error, _Damaged) as error:
                if _is_outage(error) or self._mendings == _MENDINGS:
                    raise
                self._mend(error)
                done = work()
        except UnicodeEncodeError:  # half a surrogate pair, in a text from outside
            return otherwise
        except (OSError, OperatorError, sqlite3.Error, _Damaged) as error:
            self._outages.failed(what, error)
            return otherwise
        self._outages.succeeded(what)
        return done

    def _transaction(self, work: Callable[[], T]) -> T:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            done = work()
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        return done

    def _insist_on_owner(self) -> None:
        if self._closed:
            raise LocalProtocolError("the client store is closed")
        if self._owner != (os.getpid(), threading.get_ident()):
            raise LocalProtocolError("the client store belongs to the thread and process that opened it")

    # ---- the file

    def _open(self) -> sqlite3.Connection:
        if self._path is None:
            return connect(MEMORY, CLIENT_STORE, timeout=0)
        salvage.finish(self._path)
        unclean = self._log_size() > 0
        create(self._path)
        recovery = self._recover_log(self._path) if unclean else nullcontext()
        try:
            with recovery:  # open beside ours: or each further connection would recover the log again
                database = self._connect(self._path)
        except (WrongFile, sqlite3.DatabaseError) as error:
            ours = salvage.is_ours(self._path) if isinstance(error, WrongFile) else not _is_outage(error)
            if not ours:
                raise
            return self._mended(self._path, error)
        if unclean and not self._exclusive:
            self._check = Chore.begin(check, self._path)
        return database

    def _connect(self, path: Path) -> sqlite3.Connection:
        self._exclusive = False
        try:
            database = connect(path, CLIENT_STORE, timeout=_BUSY_SECONDS)
        except sqlite3.OperationalError as error:
            if not _is_outage(error):
                raise
            # On a full disk there is no room for the log's index; a connection that is alone needs none.
            self._exclusive = True
            database = connect(path, CLIENT_STORE, timeout=_BUSY_SECONDS, exclusive=True)
        try:
            for pragma in _PRAGMAS:
                database.execute(f"PRAGMA {pragma}")
            self._file_id = file_id(path)
        except BaseException:
            database.close()
            raise
        self._checkpointed = 0
        return database

    def _moved_away(self) -> bool:
        return self._path is not None and file_id(self._path) != self._file_id

    def _reopen(self) -> None:
        self._end_chores()
        before, self._connection = self._connection, self._open()
        with suppress(sqlite3.Error):
            before.close()
        self._notify("the client store's file was removed or replaced; the client goes on with what is there")

    def _log_is_long(self) -> bool:
        size = self._log_size()
        if size < self._checkpointed:  # it started over
            self._checkpointed = 0
        return size - self._checkpointed >= _LONGEST_LOG

    def _log_size(self) -> int:
        try:
            return os.stat(f"{self._path}-wal").st_size if self._path else 0
        except OSError:
            return 0

    # ---- damage

    def _recover_log(self, path: Path) -> AbstractContextManager[object]:
        """Have SQLite read the log of a process that was killed, and tell what it could not read."""
        with ExitStack() as exits:
            try:
                database = exits.enter_context(closing(connect_to_read(path, timeout=_BUSY_SECONDS)))
                database.execute("SELECT 1 FROM sqlite_schema").fetchone()
                lost = lost_transactions(path)
            except (OSError, sqlite3.Error, struct.error):
                return nullcontext()  # opening the file meets the same trouble
            if lost:
                self._notify(
                    f"the client store's log, left by a client that did not close it, is damaged; "
                    f"the last {lost} changes are lost"
                )
            return exits.pop_all()

    def _heed_check(self) -> None:
        if self._check and not self._check.is_alive():
            finding, self._check = self._check.finding, None
            if finding:
                raise _Damaged(finding)

    def _mend(self, error: Exception) -> None:
        self._end_chores()
        with suppress(sqlite3.Error):
            self._connection.close()
        if self._path:
            self._connection = self._mended(self._path, error)
        else:
            self._connection = connect(MEMORY, CLIENT_STORE, timeout=0)
            self._notify(f"the client store in memory was damaged ({error}); it is empty now")

    def _mended(self, path: Path, error: Exception) -> sqlite3.Connection:
        self._mendings += 1
        try:
            count = salvage.rebuild(path)
            database = self._connect(path)
        except (OSError, OperatorError, sqlite3.Error) as obstacle:
            self._path = None
            database = connect(MEMORY, CLIENT_STORE, timeout=0)
            with suppress(OSError, sqlite3.Error):
                salvage.salvage(path, database)
            self._notify(
                f"the client store is damaged ({error}) and cannot be mended now ({obstacle}); until this "
                f"client ends, what could be read is kept in memory"
            )
        else:
            self._notify(
                f"the client store was damaged ({error}); {count} server entries could be read, and the "
                f"damaged file is kept as {path}.damaged"
            )
        return database

    def _end_chores(self) -> None:
        for chore in (self._check, self._checkpoint):
            if chore:
                chore.end()
        self._check = self._checkpoint = None


def _is_outage(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _OUTAGES


def _convert(values: list[object], kind: type[T]) -> list[T]:
    try:
        return msgspec.convert(values, list[kind])  # type: ignore[valid-type]
    except msgspec.ValidationError as error:
        raise _Damaged("a row has the wrong form") from error
