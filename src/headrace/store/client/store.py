"""The client's store as the client sees it: one object with a part for each thing that is remembered.

    with closing(ClientStore.open(directory, clock)) as store:
        for address in store.entries.addresses(rng, region="NL"):
            entry = store.entries.load(address, verify_key)

Calls return at once and are made on one thread, the event loop's. None raises an error of the file's: what
happens to the file is told through `notify`, and the client goes on with what it has.
"""

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path

from headrace.base.clock import Clock
from headrace.base.errors import OperatorError
from headrace.store.client.database import Database
from headrace.store.client.entries import EntryStore
from headrace.store.client.lock import DirectoryLock
from headrace.store.client.statistics import StatisticTable
from headrace.store.client.tables import DialParametersTable, EtagTable, SlokTable, ValueTable

__all__ = ["FILE_NAME", "ClientStore"]

FILE_NAME = "client-store.db"
"""The store's file in its directory."""

_LOCK_NAME = "client-store.lock"
_log = logging.getLogger(__name__)


class ClientStore:
    """Everything a client remembers, in a directory or in memory. Made by `open`."""

    def __init__(self, database: Database, clock: Clock, lock: DirectoryLock | None = None) -> None:
        self._database = database
        self._lock = lock
        self.entries = EntryStore(database, clock)
        self.sloks = SlokTable(database)
        self.etags = EtagTable(database)
        self.values = ValueTable(database)
        self.dial_parameters = DialParametersTable(database)
        self.statistics = StatisticTable(database)

    @classmethod
    def open(
        cls, directory: Path | None, clock: Clock, *, notify: Callable[[str], None] = _log.warning
    ) -> "ClientStore":
        """Open the store in `directory`, making both if need be, or one in memory if that is None.

        `notify` is told, in sentences for people, what happened to the file. Raises OperatorError when
        another process has the store open, when a newer program wrote it, or when it cannot be made.
        """
        if directory is None:
            return cls(Database(None, notify), clock)
        lock = None
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = DirectoryLock(directory / _LOCK_NAME)
            return cls(Database(directory / FILE_NAME, notify), clock, lock)
        except (OSError, sqlite3.Error) as error:
            if lock:
                lock.close()
            raise OperatorError(
                f"cannot open the client store in {directory}: {error}; the directory must be writable, with "
                f"room on its disk"
            ) from error
        except BaseException:
            if lock:
                lock.close()
            raise

    def close(self) -> None:
        """Close the file and let other processes have it. Closing again does nothing."""
        self._database.close()
        if self._lock:
            self._lock.close()
