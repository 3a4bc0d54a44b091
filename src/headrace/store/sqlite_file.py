"""One SQLite file that is ours: told from others by its application id, brought up to date step by step.

A file of kind K at version v has had the first v steps of K, and its `user_version` says v; an empty file is
at version 0. Each step is one transaction, so a process killed in the middle leaves the version it found.

All our files keep a write-ahead log. With `synchronous=NORMAL` a killed process loses nothing it has written,
and power loss takes at most what came after the last checkpoint, never the whole.
"""

import os
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from headrace.base.errors import OperatorError

__all__ = [
    "MEMORY",
    "SUFFIXES",
    "FileKind",
    "WrongFile",
    "connect",
    "connect_to_read",
    "create",
    "file_id",
    "set_aside",
]

MEMORY = ":memory:"
"""Stands in for a path where nothing is to outlive the process."""

SUFFIXES = ("", "-wal", "-shm")
"""What the files of one database end in: the database, its log, the index into the log."""


@dataclass(frozen=True, slots=True)
class FileKind:
    """What a file of ours is: how people call it, its application id, the SQL of each step to its schema."""

    name: str
    application: int
    steps: tuple[str, ...]

    @property
    def version(self) -> int:
        """The schema version that this program knows."""
        return len(self.steps)


class WrongFile(OperatorError):
    """A database of another kind, or of a version that is not known here."""


def connect(
    path: Path | str, kind: FileKind, *, timeout: float, exclusive: bool = False
) -> sqlite3.Connection:
    """Open `path`, in autocommit mode, and bring its schema up to date.

    `timeout` is how many seconds to wait for another connection's lock. An `exclusive` connection excludes
    any other, and needs no index of the log on disk. Raises sqlite3.Error, and WrongFile for a file of
    another kind or a newer version, which is left as it was.
    """
    if path == MEMORY:
        version = 0
    elif not exclusive:
        # Read-only: a connection that may write moves a killed program's log into the file when it closes.
        with closing(connect_to_read(Path(path), timeout=timeout)) as database:
            version = _version(database, path, kind)
    database = sqlite3.connect(path, timeout=timeout, isolation_level=None)
    try:
        if exclusive:
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
            version = _version(database, path, kind)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        for number in range(version, kind.version):
            database.executescript(
                f"BEGIN; {kind.steps[number]};"
                f"PRAGMA application_id = {kind.application}; PRAGMA user_version = {number + 1}; COMMIT;"
            )
    except BaseException:
        database.close()
        raise
    return database


def connect_to_read(path: Path, *, timeout: float) -> sqlite3.Connection:
    """Open a file that is there, whatever is in it; it and its log are left as they are, on closing too."""
    log = Path(f"{path}-wal")
    # Without a log nobody else has the file open, and to say so keeps SQLite from making one.
    options = "mode=ro" if log.exists() and log.stat().st_size else "mode=ro&immutable=1"
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{options}", timeout=timeout, isolation_level=None, uri=True
    )


def create(path: Path) -> None:
    """Make an empty file for its owner only, unless there is one."""
    path.touch(mode=0o600)


def file_id(path: Path) -> tuple[int, int] | None:
    """Return what identifies the file behind a name, or None when there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def set_aside(path: Path) -> None:
    """Keep damaged files for whoever wants to look, in place of those kept before."""
    for suffix in SUFFIXES:
        with suppress(FileNotFoundError):
            os.replace(f"{path}{suffix}", f"{path}.damaged{suffix}")


def _version(database: sqlite3.Connection, path: Path | str, kind: FileKind) -> int:
    application, version, schema = (
        int(database.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("application_id", "user_version", "schema_version")
    )
    if (application, version, schema) == (0, 0, 0):
        return 0
    if application != kind.application:
        raise WrongFile(f"{path} is a database, but not a {kind.name}")
    if not 0 < version <= kind.version:
        raise WrongFile(
            f"{path} is a {kind.name} of version {version}, and this program knows versions up to "
            f"{kind.version}; use the program that wrote it, or a newer one, or move the file away"
        )
    return version
