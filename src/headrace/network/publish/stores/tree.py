"""Files below a directory, which are whole or not there at all, whenever the machine stops.

A file is written in `.drafts` below the root, and moved to its name when it is on the disk. Who writes holds
a lock; who finds itself alone sweeps the drafts that a crash left.
"""

import contextlib
import errno
import fcntl
import io
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from headrace.network.publish.stores.directories import Directories
from headrace.network.publish.stores.stored import DRAFT_PREFIX

__all__ = ["Tree"]

_DRAFTS: Final = f"{DRAFT_PREFIX}s"
_LOCK: Final = "lock"
#: Another file system, one without links, one file with as many as there can be, one that has just gone.
_NO_LINKS: Final = (errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOENT)
_OPEN_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe keeps nobody waiting
_MAKE_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class Tree:
    """The files below `root`, by names that were checked. Modes are those of what it makes."""

    def __init__(self, root: Path, *, directory_mode: int, file_mode: int) -> None:
        self._directories = Directories(root, directory_mode)
        self.root = self._directories.root
        self._file_mode = file_mode

    def write(self, name: str, data: bytes) -> None:
        """Put a file in place of the one with its name, if any. Raises StoreUnavailable."""
        with self.at_work(name) as drafts:
            self.place(drafts, self.draft(drafts, data), name)

    @contextlib.contextmanager
    def reading(self, name: str) -> Iterator[io.BufferedReader | None]:
        """Open a file; there may be none. Raises StoreUnavailable, also for an OSError of the block."""
        with self._directories.translated(name):
            handle = self._open(name)
            if handle is None:
                yield None
            elif not stat.S_ISREG(os.fstat(handle).st_mode):
                os.close(handle)
                yield None
            else:
                with open(handle, "rb") as stream:
                    yield stream

    def remove(self, name: str) -> None:
        """Remove a file, and the directories that it leaves empty. Raises StoreUnavailable."""
        parts = name.split("/")
        with self.at_work(name, alone=True):  # nobody is about to put something into those directories
            try:
                with self._directories.opened(parts[:-1]) as parent:
                    os.unlink(parts[-1], dir_fd=parent)
                    os.fsync(parent)
                while parts := parts[:-1]:
                    with self._directories.opened(parts[:-1]) as parent:
                        os.rmdir(parts[-1], dir_fd=parent)
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
                return  # there is no such file
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY):
                    raise

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the names of files that begin with `prefix`, drafts too. Raises StoreUnavailable."""
        top = str(self.root)
        with self._directories.translated(prefix):
            for path, directories, files in os.walk(top, onerror=_unless_missing):
                here = path[len(top) + 1 :]
                start = f"{here}/" if here else ""
                directories[:] = sorted(
                    name for name in directories if _lead_to_one_another(f"{start}{name}/", prefix)
                )
                for name in sorted(files):
                    if f"{start}{name}".startswith(prefix) and _is_file(os.path.join(path, name)):
                        yield f"{start}{name}"

    # ---- what a write is made of

    @contextlib.contextmanager
    def at_work(self, name: str, *, alone: bool = False) -> Iterator[int]:
        """Hold the lock, `alone` or with others; yield the open directory of drafts.

        Raises StoreUnavailable, also for an OSError of the block.
        """
        with self._directories.translated(name), contextlib.ExitStack() as exits:
            self._directories.make_root()
            drafts = exits.enter_context(self._directories.opened([_DRAFTS], make=True, mode=0o700))
            lock = os.open(_LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=drafts)
            exits.callback(os.close, lock)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                fcntl.flock(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            else:
                for left in os.listdir(drafts):
                    if left != _LOCK:
                        os.unlink(left, dir_fd=drafts)
                if not alone:
                    fcntl.flock(lock, fcntl.LOCK_SH)
            yield drafts

    def draft(self, drafts: int, data: bytes) -> str:
        """Write a draft until it is on the disk; return its name among the drafts. Raises OSError."""
        name = secrets.token_hex(8)
        handle = os.open(name, _MAKE_FILE, 0o600, dir_fd=drafts)
        try:
            with open(handle, "wb", buffering=0) as stream:
                rest = memoryview(data)
                while rest:
                    rest = rest[stream.write(rest) :]
                os.fchmod(handle, self._file_mode)
                os.fsync(handle)
        except BaseException:
            os.unlink(name, dir_fd=drafts)
            raise
        return name

    def link(self, drafts: int, name: str) -> str | None:
        """Make a draft that is another name of a file; None where that cannot be had. Raises OSError."""
        *parents, last = name.split("/")
        draft = secrets.token_hex(8)
        with self._directories.opened(parents) as parent:
            try:
                os.link(last, draft, src_dir_fd=parent, dst_dir_fd=drafts, follow_symlinks=False)
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                return None
        return draft

    def place(self, drafts: int, draft: str, name: str) -> None:
        """Move a draft to its name; whatever happens, it is none afterwards. Raises OSError."""
        *parents, last = name.split("/")
        try:
            with self._directories.opened(parents, make=True) as parent:
                self._directories.refuse_link(last, parent)
                try:
                    os.replace(draft, last, src_dir_fd=drafts, dst_dir_fd=parent)
                except OSError as error:
                    if error.errno != errno.EXDEV:
                        raise
                    self._carry(drafts, draft, parent, last)
                os.fsync(parent)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(draft, dir_fd=drafts)

    def _carry(self, drafts: int, draft: str, parent: int, last: str) -> None:
        """Copy a draft to the other file system that its place is on, and move it there."""
        beside = f"{DRAFT_PREFIX}-{draft}"
        source = os.open(draft, os.O_RDONLY | os.O_CLOEXEC, dir_fd=drafts)
        with open(source, "rb") as found:
            copy = os.open(beside, _MAKE_FILE, 0o600, dir_fd=parent)
            try:
                with open(copy, "wb") as stream:
                    shutil.copyfileobj(found, stream)
                    stream.flush()
                    os.fchmod(copy, self._file_mode)
                    os.fsync(copy)
                os.replace(beside, last, src_dir_fd=parent, dst_dir_fd=parent)
            except BaseException:
                os.unlink(beside, dir_fd=parent)
                raise

    def _open(self, name: str) -> int | None:
        *parents, last = name.split("/")
        try:
            with self._directories.opened(parents) as parent:
                self._directories.refuse_link(last, parent)
                return os.open(last, _OPEN_FILE, dir_fd=parent)
        except (FileNotFoundError, NotADirectoryError):
            return None


def _unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _lead_to_one_another(directory: str, prefix: str) -> bool:
    return directory.startswith(prefix) or prefix.startswith(directory)


def _is_file(path: str) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False
