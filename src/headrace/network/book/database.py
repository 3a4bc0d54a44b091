"""Connections to the database: SQLite in one file, or PostgreSQL by URL.

Readers see one moment for as long as they look. Writers take turns from their first statement on, so that
none decides on what another is about to change.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy
from sqlalchemy import Connection, Engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from headrace.base.errors import OperatorError
from headrace.store.sqlite_file import SUFFIXES

__all__ = ["database_error", "new_engine", "open_engine", "writing"]

_WRITES: Final = "headrace_writes"

#: Names the lock of writers among the advisory locks of a PostgreSQL database.
_WRITER_LOCK: Final = 0x68656164

_DRIVERS: Final = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


@contextmanager
def new_engine(url: str) -> Iterator[Engine]:
    """Give out an engine for a new database, whose file does not stay if the block fails.

    Raises OperatorError where there is such a file.
    """
    engine = open_engine(url, create=True)
    try:
        yield engine
    except BaseException:
        engine.dispose()
        if engine.dialect.name == "sqlite":
            for suffix in SUFFIXES:
                Path(f"{engine.url.database}{suffix}").unlink(missing_ok=True)
        raise


def open_engine(url: str, *, create: bool = False) -> Engine:
    """Return an engine for a path or URL: a file of SQLite, or `postgresql://…`.

    Without `create`, a file that does not exist is refused. Raises OperatorError.
    """
    if "://" not in url:
        url = f"sqlite:///{Path(url).expanduser().absolute()}"
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise OperatorError("this is not the URL of a database; use a path, or postgresql://…") from None
    parsed = parsed.set(drivername=_DRIVERS.get(parsed.drivername, parsed.drivername))
    match parsed.get_backend_name():
        case "sqlite":
            return _sqlite(parsed, create)
        case "postgresql":
            engine = sqlalchemy.create_engine(parsed, isolation_level="REPEATABLE READ")
            event.listen(engine, "begin", _begin_postgresql)
            return engine
        case other:
            raise OperatorError(f"a network is not kept in {other}; use a path, or postgresql://…")


def writing(engine: Engine) -> Engine:
    """Return the engine as writers use it: their transactions exclude one another."""
    if engine.dialect.name == "postgresql":
        # Each statement has to see what was committed while this writer was waiting for its turn.
        return engine.execution_options(**{_WRITES: True, "isolation_level": "READ COMMITTED"})
    return engine.execution_options(**{_WRITES: True})


def database_error(error: DBAPIError) -> OperatorError:
    """Return what to tell a person of an error of the database."""
    cause = str(error.orig).strip().splitlines()
    return OperatorError(f"the database refuses: {cause[0] if cause else type(error.orig).__name__}")


def _sqlite(url: sqlalchemy.URL, create: bool) -> Engine:
    path = Path(url.database or "")
    if create:
        if path.exists():
            raise OperatorError(f"{path} exists already; a new network needs a place of its own")
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    elif not path.is_file():
        raise OperatorError(f"there is no network at {path}; make one with `headrace network init`")
    engine = sqlalchemy.create_engine(url)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun below, in the form that is meant
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    if connection.get_execution_options().get(_WRITES):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITER_LOCK})")
