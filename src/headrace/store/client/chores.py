"""What SQLite does for long enough to disturb the event loop, in threads with connections of their own.

* A checkpoint moves what was written from the log into the file, and waits for the disk.
* The check reads the whole file, after a process ended without closing its store.

SQLite lets go of Python's lock while it works, and keeps its connections apart.
"""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

__all__ = ["Chore", "check", "checkpoint"]


class Chore(threading.Thread):
    """Runs `work` on a connection beside the loop, and keeps what it found out."""

    def __init__(self, work: Callable[[sqlite3.Connection], str], database: sqlite3.Connection) -> None:
        super().__init__(name=f"client store: {work.__name__}", daemon=True)
        self.finding = ""
        self._work = work
        self._database = database

    @classmethod
    def begin(cls, work: Callable[[sqlite3.Connection], str], path: Path) -> "Chore | None":
        """Start the work on the file at `path`; None when there is no file, or no room for a thread."""
        uri = f"{path.absolute().as_uri()}?mode=rw"
        try:
            database = sqlite3.connect(uri, isolation_level=None, check_same_thread=False, uri=True)
        except sqlite3.Error:
            return None
        chore = cls(work, database)
        try:
            chore.start()
        except RuntimeError:
            database.close()
            return None
        return chore

    def run(self) -> None:
        try:
            with closing(self._database):
                self.finding = self._work(self._database)
        except sqlite3.Error:
            pass  # whoever uses the file next meets the same trouble, and can act on it

    def end(self) -> None:
        """Interrupt the work and wait until nothing of it is left."""
        if self.is_alive():
            try:
                self._database.interrupt()
            except sqlite3.ProgrammingError:
                pass  # it has just ended by itself
            self.join()


def checkpoint(database: sqlite3.Connection) -> str:
    """Move the log's content into the file, as far as nobody reads it, and start the log over."""
    database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    database.execute("PRAGMA journal_size_limit = 0")
    # Who writes first in a log that starts over waits for the disk too: a write that changes nothing.
    (version,) = database.execute("PRAGMA user_version").fetchone()
    database.execute(f"PRAGMA user_version = {version}")
    return ""


def check(database: sqlite3.Connection) -> str:
    """Return the first thing that is wrong with the file, or nothing."""
    try:
        (found,) = database.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        found = str(error)
    return "" if found == "ok" else str(found)
