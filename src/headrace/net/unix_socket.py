"""Unix sockets to listen on, for their owner only: at a path, or in Linux's abstract namespace as `@name`.

What is at a path already is removed only if it is a socket that nobody answers on, left by a program that was
killed. A socket in the abstract namespace has no owner: every user of the machine can connect to it.
"""

import errno
import os
import socket
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from headrace.base.errors import OperatorError

__all__ = ["unix_socket"]

#: Seconds that others may take with the directory, and between two looks whether they are done.
_PATIENCE: Final = 1.0
_PAUSE: Final = 0.01


@contextmanager
def unix_socket(path: str, *, what: str) -> Iterator[socket.socket]:
    """Give a socket that listens at `path` during the block; afterwards that is gone, if it is still its own.

    Raises OperatorError naming `what` could not listen, and why.
    """
    if sys.platform == "win32":
        raise OperatorError(f"{what} cannot listen on a Unix socket: there are none here; use a port")
    with socket.socket(socket.AF_UNIX) as bound:
        made = None
        try:
            if path.startswith("@"):
                _bind_abstract(bound, path[1:])
            else:
                made = _bind(bound, path)
        except OSError as error:
            reason = _REASONS.get(error.errno or 0) or error.strerror
            raise OperatorError(f"{what} cannot listen at {path}: {reason}") from error
        try:
            yield bound
        finally:
            with suppress(OSError):
                if made is not None and os.path.samestat(made, os.lstat(path)):
                    os.unlink(path)


_REASONS = {
    errno.EADDRINUSE: "another program does. Stop that, or choose another path.",
    errno.EEXIST: "there is something that is no socket. Remove it, or choose another path.",
    errno.ENOENT: "there is no such directory. Make it, or choose another path.",
    errno.EACCES: "that is not allowed. Choose a path in a directory of yours.",
}


def _bind_abstract(unbound: socket.socket, name: str) -> None:
    if sys.platform != "linux":
        raise OSError(errno.EOPNOTSUPP, "only Linux has names with @. Choose a path.")
    unbound.bind(f"\0{name}")
    unbound.listen()


def _bind(unbound: socket.socket, path: str) -> os.stat_result:
    """Listen at a path that is free or stale; return what is there then."""
    with _alone_in(os.path.dirname(path) or "."):
        _remove_stale(path)
        unbound.bind(path)
        os.chmod(path, 0o600)  # nobody can connect before it listens
        unbound.listen()
        return os.lstat(path)


@contextmanager
def _alone_in(directory: str) -> Iterator[None]:
    """Let no other client at the directory: what has been bound and does not listen yet looks stale to it.

    That takes no time, and everybody who can read the directory can hold its lock: it is not waited for long.
    """
    import fcntl

    place = os.open(directory, os.O_RDONLY)
    try:
        until = time.monotonic() + _PATIENCE
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if time.monotonic() >= until:
                break
            time.sleep(_PAUSE)
        yield
    finally:
        os.close(place)


def _remove_stale(path: str) -> None:
    """Remove a socket that nobody listens on. Raises OSError if there is anything else."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(errno.EEXIST, "")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)  # one whose queue is full is not waited for: it is in use
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EPROTOTYPE):
                raise
    raise OSError(errno.EADDRINUSE, "")
