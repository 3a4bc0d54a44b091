"""The client store's file on disk: opened whatever state it is in, mended, kept short of log.

An unclean end, of a process that was killed, shows in the log it left. The log is recovered at once, and the
file is checked beside the event loop: whoever wants a server to dial does not wait for it.
"""

import os
import sqlite3
import struct
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext, suppress
from pathlib import Path
from typing import Final

from headrace.base.errors import OperatorError
from headrace.store.client import salvage
from headrace.store.client.chores import Chore, check, checkpoint
from headrace.store.client.log_check import lost_transactions
from headrace.store.client.schema import CLIENT_STORE
from headrace.store.sqlite_file import MEMORY, WrongFile, connect, connect_to_read, create, file_id

__all__ = ["Damaged", "StoreFile", "is_outage"]

_BUSY_SECONDS = 0.1  # nobody else should be there, and the event loop waits with us
_LONGEST_LOG = 4 << 20  # bytes, then a checkpoint: a log left by a killed process delays the next start
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


class Damaged(Exception):
    """The check found something, or a row holds what nobody put there."""


class StoreFile:
    """A connection, and the file behind it. `path` None keeps everything in memory.

    Raises OSError, sqlite3.Error or OperatorError when the file can neither be opened nor made.
    """

    def __init__(self, path: Path | None, notify: Callable[[str], None]) -> None:
        self._path = path
        self._notify = notify
        self._check: Chore | None = None
        self._checkpoint: Chore | None = None
        self._checkpointed = 0  # bytes of the log
        self._exclusive = False
        self._file_id: tuple[int, int] | None = None
        self.mendings = 0
        self.connection = self._open()

    def close(self) -> None:
        """Close the file, and end what goes on beside the loop."""
        self._end_chores()
        with suppress(sqlite3.Error):
            self.connection.close()

    def tend_log(self) -> None:
        """Start a checkpoint if the log is long. To be called after writing."""
        if self._path and not self._exclusive and not self.wait(0) and self._log_is_long():
            self._checkpoint = Chore.begin(checkpoint, self._path)

    def wait(self, seconds: float) -> bool:
        """Wait at most so long for a checkpoint to end; say whether it is still under way."""
        if self._checkpoint:
            self._checkpoint.join(seconds)
            if self._checkpoint.is_alive():
                return True
            self._checkpoint = None
            self._checkpointed = self._log_size()
        return False

    def follow(self) -> None:
        """Open the file anew if it was removed or replaced. Raises like the constructor."""
        if not self._is_elsewhere():
            return
        self._end_chores()
        before, self.connection = self.connection, self._open()
        with suppress(sqlite3.Error):
            before.close()
        self._notify("the client store's file was removed or replaced; the client goes on with what is there")

    def heed_check(self) -> None:
        """Raise Damaged if the check after an unclean end found something."""
        if self._check and not self._check.is_alive():
            finding, self._check = self._check.finding, None
            if finding:
                raise Damaged(finding)

    def mend(self, error: Exception) -> None:
        """Put what can be read in place of a damaged file."""
        self.mendings += 1
        self._end_chores()
        with suppress(sqlite3.Error):
            self.connection.close()
        if self._path:
            self.connection = self._mended(self._path, error)
        else:
            self.connection = connect(MEMORY, CLIENT_STORE, timeout=0)
            self._notify(f"the client store in memory was damaged ({error}); it is empty now")

    # ---- opening

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
            ours = salvage.is_ours(self._path) if isinstance(error, WrongFile) else not is_outage(error)
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
            if not is_outage(error):
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

    def _is_elsewhere(self) -> bool:
        return self._path is not None and file_id(self._path) != self._file_id

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

    def _mended(self, path: Path, error: Exception) -> sqlite3.Connection:
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


def is_outage(error: Exception) -> bool:
    """Say whether an error is about the world around the file: no room, no access, somebody else's lock."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _OUTAGES
