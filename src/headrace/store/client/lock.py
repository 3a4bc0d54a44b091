"""One process at a time in a directory, by a lock that the operating system takes back when a process ends.

The lock belongs to an open file, so two stores of one process exclude each other too. A forked child lets go
of its copy at once: it must not use the parent's store, and must not keep the directory after the parent.
"""

import os
import sys
import weakref
from pathlib import Path

from headrace.base.errors import OperatorError

if sys.platform != "win32":  # pragma: no branch
    import fcntl

__all__ = ["DirectoryLock"]

_LONGEST_PID = 20  # digits


class DirectoryLock:
    """Holds `path`, whose text is the holder's process id. Raises OperatorError when another holds it."""

    def __init__(self, path: Path) -> None:
        self._file: int | None = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if sys.platform != "win32":  # pragma: no branch
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._file, _LONGEST_PID).decode("ascii", "replace").strip()
            self.close()
            raise OperatorError(_in_use(path.parent, holder)) from None
        except OSError:
            self.close()
            raise
        self._say_who()
        _held.add(self)

    def close(self) -> None:
        """Let go. Closing again does nothing."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _say_who(self) -> None:
        assert self._file is not None
        try:
            os.ftruncate(self._file, 0)
            os.write(self._file, str(os.getpid()).encode())
        except OSError:
            pass  # on a full disk the lock holds all the same, without a name


def _in_use(directory: Path, holder: str) -> str:
    if holder == str(os.getpid()):
        return f"the client store in {directory} is already open in this process; use one store for both"
    who = f"process {holder}" if holder.isdigit() else "another process"
    return (
        f"the client store in {directory} is in use by {who}; stop that client, or give this one a data "
        f"directory of its own"
    )


_held: "weakref.WeakSet[DirectoryLock]" = weakref.WeakSet()


def _let_go_in_child() -> None:
    for lock in list(_held):
        lock.close()


if sys.platform != "win32":  # pragma: no branch
    os.register_at_fork(after_in_child=_let_go_in_child)
