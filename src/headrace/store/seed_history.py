"""The seed history on disk: one SQLite file, asked by every worker of a server, alive after a restart.

The rule is `headrace.obfuscation.seed_history`'s. What this adds:

* One statement tests and inserts, so of two workers asked at once exactly one gets to accept a seed.
* A killed process forgets nothing: once written, a row is in the operating system's memory. Only power loss
  can take back seeds, those since the last checkpoint, because `synchronous=NORMAL` does not wait for the
  disk at each of them. Waiting would cost every handshake milliseconds, to refuse replays made within a day
  of a power cut. `OFF` would not wait at checkpoints either, but could then lose the whole file.
* When in doubt, refuse: if the file cannot be asked (locked too long, say), a seed counts as seen, which
  costs an honest client one attempt. A damaged file is set aside and a fresh one started.
* A full disk closes no server. What is in the file is still asked; what comes now is remembered by this
  process, and written once there is room. Only such a seed can be replayed, to another worker or after a
  restart.

Seeds are stored as they are. A hash would hide nothing: whoever holds this file and recorded traffic can
hash the recorded seeds as well, and whoever holds the server's entry can tell by its key alone that a seed
was meant for it. Addresses are never stored, and times only in whole seconds.
"""

import logging
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from headrace.base.clock import Clock
from headrace.base.errors import OperatorError
from headrace.obfuscation.seed_history import SEED_CAPACITY, SEED_LIFETIME
from headrace.store.sqlite_file import MEMORY, FileKind, connect, create, file_id, set_aside

if sys.platform != "win32":  # pragma: no branch
    import fcntl

__all__ = ["SeedHistory"]

_log = logging.getLogger(__name__)

_SETUP_SECONDS = 10.0
_BUSY_MILLISECONDS = 250  # writers hold the lock for far less, and the event loop waits with us
_PRUNE_EVERY = 1024  # insertions of this process
_PRUNE_BATCH = 4 * _PRUNE_EVERY  # rows; none takes long, and every worker's together catch up

_SCHEMA = """
CREATE TABLE seed (seed BLOB PRIMARY KEY, last_seen INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX seed_by_age ON seed (last_seen);
"""
_KIND = FileKind("seed history", application=0x68725348, steps=(_SCHEMA,))
# Adds or changes a row exactly if the seed is new or its time was up.
_ACCEPT = """
INSERT INTO seed VALUES (:seed, :now)
ON CONFLICT (seed) DO UPDATE SET last_seen = :now WHERE last_seen <= :expired
"""
_KNOWN = "SELECT 1 FROM seed WHERE seed = ? AND last_seen > ?"
_REMEMBER = """
INSERT INTO seed VALUES (?, ?) ON CONFLICT (seed) DO UPDATE SET last_seen = max(last_seen, excluded.last_seen)
"""
_RENEW = "UPDATE seed SET last_seen = max(last_seen, :now) WHERE seed = :seed"
_EXPIRE = """
DELETE FROM seed
WHERE seed IN (SELECT seed FROM seed WHERE last_seen <= ? ORDER BY last_seen LIMIT ?)
"""
_EVICT = "DELETE FROM seed WHERE seed IN (SELECT seed FROM seed ORDER BY last_seen LIMIT ?)"


class SeedHistory:
    """Remembers seeds in `path`, or in memory for this process alone if that is None.

    Times come from `clock.time()`, since they must mean the same to every process and after a restart.
    `capacity` counts seeds and `ttl` seconds; both hold give or take the few that come between two prunings.
    Open one per process, never carry it across a fork. Raises OperatorError when the file cannot be opened.
    """

    def __init__(
        self, path: Path | None, clock: Clock, capacity: int = SEED_CAPACITY, ttl: int = SEED_LIFETIME
    ) -> None:
        self._path = path
        self._clock = clock
        self._capacity = capacity
        self._ttl = ttl
        self._prune_every = max(1, min(_PRUNE_EVERY, capacity // 64))
        self._until_prune = self._prune_every
        self._failing = False
        self._unwritten: dict[bytes, int] = {}  # seeds there was no room for, and when they were last seen
        self._file_id: tuple[int, int] | None = None
        try:
            self._database = self._open()
        except (OSError, sqlite3.Error) as error:
            raise OperatorError(
                f"cannot open the seed history {path}: {error}; its directory must exist and be writable"
            ) from error

    def seen(self, seed: bytes) -> bool:
        """Say whether `seed` came before, and remember it. Never raises: doubt counts as seen."""
        try:
            if self._moved_away():
                self._reopen()
            known = self._test_and_insert(seed)
        except (OSError, OperatorError, sqlite3.OperationalError) as error:
            return self._without_room(seed) if _is_full(error) else self._doubt(error)
        except sqlite3.DatabaseError as error:  # damaged, as opposed to busy or unreachable
            return self._recover(error)
        self._failing = False
        return known

    def close(self) -> None:
        """Close the file; ask no more questions after this."""
        self._database.close()

    # ---- the rule

    def _test_and_insert(self, seed: bytes) -> bool:
        if self._unwritten:
            self._database.executemany(_REMEMBER, self._unwritten.items())
            self._unwritten.clear()
        now = int(self._clock.time())
        values = {"seed": seed, "now": now, "expired": now - self._ttl}
        if self._database.execute(_ACCEPT, values).rowcount == 0:
            self._database.execute(_RENEW, values)
            return True
        self._until_prune -= 1
        if self._until_prune <= 0:
            self._until_prune = self._prune_every
            self._prune(now)
        return False

    def _prune(self, now: int) -> None:
        self._database.execute(_EXPIRE, (now - self._ttl, _PRUNE_BATCH))
        (count,) = self._database.execute("SELECT count(*) FROM seed").fetchone()
        if count > self._capacity:
            self._database.execute(_EVICT, (min(count - self._capacity, _PRUNE_BATCH),))

    # ---- the file

    def _open(self, *, suspect: bool = False) -> sqlite3.Connection:
        """Open the file, making or replacing it if need be; `suspect` has it checked thoroughly."""
        if self._path is None:
            return _connect(MEMORY)
        with _exclusive(self._path):
            create(self._path)
            try:
                database = _connect(self._path, suspect=suspect)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError as error:
                _log.warning("the seed history %s is damaged (%s); a new one is started", self._path, error)
                set_aside(self._path)
                create(self._path)
                database = _connect(self._path)
            self._file_id = file_id(self._path)
            return database

    def _moved_away(self) -> bool:
        """Say whether the file was replaced or removed, or our last attempt to open it failed."""
        return self._path is not None and (self._file_id is None or file_id(self._path) != self._file_id)

    def _reopen(self, *, suspect: bool = False) -> None:
        self._database.close()
        self._file_id = None
        self._database = self._open(suspect=suspect)

    # ---- trouble

    def _without_room(self, seed: bytes) -> bool:
        """Apply the rule where nothing can be written."""
        if not self._failing:
            self._failing = True
            _log.error("no room for the seed history: new seeds are in the memory of this process alone")
        now = int(self._clock.time())
        try:
            written = self._database.execute(_KNOWN, (seed, now - self._ttl)).fetchone() is not None
        except sqlite3.Error as error:
            return self._doubt(error)
        known = self._unwritten.pop(seed, 0) > now - self._ttl
        self._unwritten[seed] = now
        if len(self._unwritten) > self._capacity:
            del self._unwritten[next(iter(self._unwritten))]
        return written or known

    def _doubt(self, error: Exception) -> bool:
        if not self._failing:  # once per outage
            self._failing = True
            _log.error("the seed history cannot be asked, so tunnels are refused: %s", error)
        return True

    def _recover(self, error: Exception) -> bool:
        try:
            self._reopen(suspect=True)
        except (OSError, OperatorError, sqlite3.Error) as worse:
            return self._doubt(worse)
        return True


def _is_full(error: Exception) -> bool:
    return isinstance(error, sqlite3.Error) and error.sqlite_errorcode == sqlite3.SQLITE_FULL


def _connect(path: Path | str, *, suspect: bool = False) -> sqlite3.Connection:
    database = connect(path, _KIND, timeout=_SETUP_SECONDS)
    try:
        if suspect and (found := database.execute("PRAGMA integrity_check(1)").fetchone()) != ("ok",):
            raise sqlite3.DatabaseError(found[0])
        database.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
    except BaseException:
        database.close()
        raise
    return database


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    """Let one process at a time open or replace the file: two must not each set it aside.

    Whoever can open the lock's file can hold it, and a server waits: so it is its owner's alone.
    """
    with open(f"{path}.lock", "ab", opener=lambda file, flags: os.open(file, flags, 0o600)) as lock:
        if sys.platform != "win32":  # pragma: no branch (there, workers cannot share a port anyway)
            with suppress(PermissionError):
                os.fchmod(lock.fileno(), 0o600)  # one that an earlier version made
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
