"""Directories below a root, opened step by step so that no symbolic link is followed, and what errors mean.

Whoever may lay a link below the root must not lead us elsewhere. The root itself may be reached through one:
it is the operator who names it.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from headrace.network.publish.stores.store import StoreUnavailable

__all__ = ["Directories"]

_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_RIGHT: Final = (errno.EACCES, errno.EPERM, errno.EROFS)
_OPEN: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Directories:
    """Those below `root`; `mode` is that of the root and others, when they have to be made."""

    def __init__(self, root: Path, mode: int) -> None:
        self.root = root.absolute()
        self._mode = mode

    def make_root(self) -> None:
        """See to it that the root is there. Raises OSError."""
        if not self.root.is_dir():
            self.root.parent.mkdir(parents=True, exist_ok=True)
            _make(str(self.root), None, self._mode)

    @contextlib.contextmanager
    def opened(self, parts: Sequence[str], *, make: bool = False, mode: int | None = None) -> Iterator[int]:
        """Open one, and make what is missing if asked to. Raises OSError, StoreUnavailable for links."""
        here = os.open(self.root, _OPEN)
        try:
            for part in parts:
                self.refuse_link(part, here)
                if make:
                    _make(part, here, self._mode if mode is None else mode)
                below = os.open(part, _OPEN | os.O_NOFOLLOW, dir_fd=here)
                os.close(here)
                here = below
            yield here
        finally:
            os.close(here)

    def refuse_link(self, part: str, parent: int) -> None:
        """Raise StoreUnavailable if there is a symbolic link of that name in an open directory."""
        try:
            mode = os.lstat(part, dir_fd=parent).st_mode
        except FileNotFoundError:
            return
        if stat.S_ISLNK(mode):
            raise StoreUnavailable(
                f"below {self.root}, {part!r} is a symbolic link, and nothing is published through those: "
                f"put a real directory or file in its place, or mount what it leads to"
            )

    @contextlib.contextmanager
    def translated(self, name: str) -> Iterator[None]:
        """Raise StoreUnavailable for an OSError of the block, which is about the file `name`."""
        try:
            yield
        except OSError as error:
            raise StoreUnavailable(self._explanation(name or "a list of names", error)) from error

    def _explanation(self, name: str, error: OSError) -> str:
        if error.errno in _NO_ROOM:
            return (
                f"there is no room in {self.root} for {name}: free some, then publish again; what was there "
                f"before is unchanged"
            )
        if error.errno in _NO_RIGHT:
            return f"{self.root} may not be used for {name} ({error.strerror}): give this user the right to"
        if isinstance(error, (IsADirectoryError, NotADirectoryError, FileExistsError)):
            return (
                f"in {self.root}, {name} needs the place of a file or directory of another kind "
                f"({error.strerror}): remove that, or publish under another name"
            )
        return f"{self.root} failed for {name} ({error.strerror}): see to its disk, then publish again"


def _make(name: str, parent: int | None, mode: int) -> None:
    try:
        os.mkdir(name, mode, dir_fd=parent)
    except FileExistsError:
        return
    os.chmod(name, mode, dir_fd=parent)  # whatever the mask
    if parent is not None:
        os.fsync(parent)
