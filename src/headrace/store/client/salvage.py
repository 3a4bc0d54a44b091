"""What can be read of a damaged store, row by row, moved into a new file that then takes its place.

A process may be killed after each of the steps:

    1  NAME.salvaged is made and filled: the damaged file is still in place, the next start begins anew
    2  NAME becomes NAME.damaged: no file is in place, the next start goes on with step 3
    3  NAME.salvaged becomes NAME

A damaged first page, which holds the tables' whereabouts, is no obstacle: a new file's says the same.
"""

import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from headrace.base.errors import DocumentError
from headrace.store.client.entry_row import make_row, parse_fields
from headrace.store.client.schema import CLIENT_STORE, TABLES
from headrace.store.sqlite_file import MEMORY, SUFFIXES, connect, connect_to_read, create, set_aside

__all__ = ["finish", "is_ours", "rebuild", "salvage"]

_PROBES = 5_000  # in a row, without a row: more than one page can lead to
_LAST_ID = 2**63 - 1
_ID_TABLES = ("entry", "statistic")


def rebuild(path: Path) -> int:
    """Put a new file in the place of a damaged one, with all rows that can be read; return how many entries.

    Raises OSError or sqlite3.Error when there is no room for it; the damaged file is then still in place.
    """
    fresh = Path(f"{path}.salvaged")
    _remove(fresh)
    create(fresh)
    try:
        with closing(connect(fresh, CLIENT_STORE, timeout=0)) as database:
            count = salvage(path, database)
    except BaseException:
        _remove(fresh)
        raise
    set_aside(path)
    finish(path)
    return count


def finish(path: Path) -> None:
    """Do what a process killed while salvaging did not get to."""
    fresh = Path(f"{path}.salvaged")
    if fresh.exists() and not path.exists():
        for suffix in reversed(SUFFIXES):
            with suppress(FileNotFoundError):
                os.replace(f"{fresh}{suffix}", f"{path}{suffix}")


def salvage(path: Path, target: sqlite3.Connection) -> int:
    """Copy what can be read of the file at `path` into a new database; return how many entries there are."""
    target.execute("BEGIN")
    try:
        _copy(path, target)
        if not _count(target):
            _copy_behind_new_first_page(path, target)
        count = _count(target)
    except BaseException:
        target.execute("ROLLBACK")
        raise
    target.execute("COMMIT")
    return count


def is_ours(path: Path) -> bool:
    """Say whether the tables in a file are those of a client store, whatever its header says."""
    try:
        with closing(_reader(path)) as source, closing(connect(MEMORY, CLIENT_STORE, timeout=0)) as fresh:
            schema = "SELECT type, name, sql FROM sqlite_schema ORDER BY name"
            return source.execute(schema).fetchall() == fresh.execute(schema).fetchall()
    except sqlite3.Error:
        return False


def _copy(path: Path, target: sqlite3.Connection) -> None:
    with closing(_reader(path)) as source:
        for table, columns in TABLES.items():
            if not _exists(source, table, columns):
                continue
            rows = _by_id(source, table, columns) if table in _ID_TABLES else _by_key(source, table, columns)
            rows = filter(None, (_well_formed(row, columns.values()) for row in rows))
            if table == "entry":
                rows = filter(None, map(_checked, rows))
            marks = ", ".join("?" * len(columns))
            insert = f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608
            for row in rows:
                target.execute(insert, row)
        # An index that was not readable is known from the entries.
        target.execute("INSERT OR IGNORE INTO entry_tag SELECT tag, address, version FROM entry")


def _copy_behind_new_first_page(path: Path, target: sqlite3.Connection) -> None:
    """Read a copy of the file whose first page is a new file's."""
    copy, model = Path(f"{path}.salvaging"), Path(f"{path}.model")
    try:
        create(model)
        with closing(connect(model, CLIENT_STORE, timeout=0)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            (size,) = database.execute("PRAGMA page_size").fetchone()
            page = bytearray(model.read_bytes()[:size])
        shutil.copyfile(path, copy)
        with open(copy, "r+b") as file:
            pages = file.seek(0, os.SEEK_END) // size
            page[28:32] = pages.to_bytes(4, "big")  # the file's size in pages
            file.seek(0)
            file.write(page)
        _copy(copy, target)
    finally:
        _remove(copy)
        _remove(model)


def _exists(source: sqlite3.Connection, table: str, columns: Iterable[str]) -> bool:
    try:
        source.execute(f"SELECT {', '.join(columns)} FROM {table} LIMIT 0")  # noqa: S608
    except sqlite3.Error:
        return False
    return True


def _by_id(source: sqlite3.Connection, table: str, columns: Iterable[str]) -> Iterator[tuple[object, ...]]:
    """Yield rows by ascending id, going on behind every damaged place."""
    query = f"SELECT {', '.join(columns)} FROM {table} WHERE id > ? ORDER BY id"  # noqa: S608
    after, failures = 0, 0
    while failures < _PROBES and after < _LAST_ID:
        last = after
        try:
            for row in source.execute(query, (after,)):
                yield row
                last = max(last, int(row[0]))
                failures = 0
        except sqlite3.Error:
            failures += 1
            after = last + 1 if last == after else last
        else:
            return


def _by_key(source: sqlite3.Connection, table: str, columns: Iterable[str]) -> Iterator[tuple[object, ...]]:
    """Yield rows from the first on and from the last back, to the damaged place in either direction."""
    for order in ("ASC", "DESC"):
        query = f"SELECT {', '.join(columns)} FROM {table} ORDER BY 1 {order}"  # noqa: S608
        try:
            yield from source.execute(query)
        except sqlite3.Error:
            continue
        return


def _well_formed(row: tuple[object, ...], kinds: Iterable[type]) -> tuple[object, ...] | None:
    fits = all(isinstance(value, kind) for value, kind in zip(row, kinds, strict=True))
    return row if fits else None


def _checked(row: tuple[Any, ...]) -> tuple[object, ...] | None:
    """Return an entry's row as it was made, if it is whole."""
    identity, address, *_, text = row
    try:
        return (identity, *make_row(parse_fields(address, text) or {}).columns)
    except DocumentError:
        return None


def _count(target: sqlite3.Connection) -> int:
    (count,) = target.execute("SELECT count(*) FROM entry").fetchone()
    return int(count)


def _reader(path: Path) -> sqlite3.Connection:
    database = connect_to_read(path, timeout=0)  # so that the damaged file is kept as it was
    database.text_factory = lambda data: data.decode("utf-8", "replace")
    return database


def _remove(path: Path) -> None:
    for suffix in SUFFIXES:
        Path(f"{path}{suffix}").unlink(missing_ok=True)
