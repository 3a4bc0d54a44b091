"""One publication of a network at a time: two could put objects in one order, and note them in the other.

The lock goes away with the process that holds it. With SQLite it is on a file beside the database, with
PostgreSQL it is the database's own.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from typing import Final

from sqlalchemy import select
from sqlalchemy.sql import func

from headrace.base.errors import OperatorError
from headrace.network.book import View

__all__ = ["only_publication"]

#: Names the lock of publications among the advisory locks of a PostgreSQL database.
_LOCK: Final = 0x68656165
_SUFFIX: Final = ".publishing"


@contextlib.contextmanager
def only_publication(view: View) -> Iterator[None]:
    """Be the one publication of the network of a view. Raises OperatorError while there is another."""
    bind = view.session.get_bind()
    lock = (
        _postgresql_lock(view) if bind.dialect.name == "postgresql" else _file_lock(bind.engine.url.database)
    )
    with lock:
        yield


@contextlib.contextmanager
def _postgresql_lock(view: View) -> Iterator[None]:
    if not view.session.scalar(select(func.pg_try_advisory_lock(_LOCK))):
        raise _taken()
    try:
        yield
    finally:
        view.session.scalar(select(func.pg_advisory_unlock(_LOCK)))


@contextlib.contextmanager
def _file_lock(database: str | None) -> Iterator[None]:
    path = f"{database}{_SUFFIX}"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OperatorError(
            f"{path} is needed while publishing and cannot be made: {error.strerror}"
        ) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _taken() from None
        yield
    finally:
        os.close(handle)


def _taken() -> OperatorError:
    return OperatorError("another publication of this network is under way: wait for its end, or stop it")
