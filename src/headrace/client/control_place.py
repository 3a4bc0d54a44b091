"""Where a running client can be found: a socket in a directory that only its user can enter.

    $XDG_RUNTIME_DIR/headrace/ or /tmp/headrace-UID/
        NAME.lock     held while a client of this name runs
        NAME.starting held while one is started from a terminal
        NAME.socket   where it listens
        NAME.data     the directory in which the last one kept its files, this one if it kept none
        NAME.json     how that one came to its tunnel
        NAME.log      what the last one printed, where it was started from a terminal

A name has one client at a time. The lock decides, which the operating system takes back when a process ends,
however it does: whoever has it may remove a socket that another left.
"""

import contextlib
import os
import re
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from headrace.base.errors import OperatorError

if sys.platform != "win32":  # pragma: no branch
    import fcntl

__all__ = ["DEFAULT_NAME", "AlreadyRunning", "ControlPlace", "check_name", "places", "usable_place"]

DEFAULT_NAME: Final = "default"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_LONGEST_PATH = 107  # bytes: what fits in a socket's address
_MAX_NOTE = 4096


class AlreadyRunning(OperatorError):
    """A client of this name runs; another needs another name."""


def check_name(name: str) -> str:
    """Return a name that is fit to be a file's. Raises OperatorError."""
    if _NAME.fullmatch(name) is None:
        raise OperatorError("a name is of letters, digits, - and _, 32 at most; choose another with --name")
    return name


class ControlPlace:
    """The files of the clients of one name in a directory. Nothing is made or checked before it is needed."""

    def __init__(self, directory: Path, name: str = DEFAULT_NAME) -> None:
        self.name = check_name(name)
        self.directory = directory
        self.socket = directory / f"{name}.socket"
        self._lock = directory / f"{name}.lock"
        self._starting = directory / f"{name}.starting"
        self._data = directory / f"{name}.data"

    def make(self) -> None:
        """Make the directory. Raises OSError, or OperatorError if others could get at what is in it."""
        self.directory.mkdir(mode=0o700, exist_ok=True)
        if not self.is_ours():
            raise OperatorError(
                f"{self.directory} is not a directory that only you can enter; remove it, or set "
                "XDG_RUNTIME_DIR to one that is"
            )
        if len(os.fsencode(self.socket)) > _LONGEST_PATH:
            raise OperatorError(
                f"{self.socket} is too long for a socket's name; set XDG_RUNTIME_DIR to a shorter directory"
            )
        if not os.access(self.directory, os.W_OK):
            raise PermissionError(f"{self.directory} cannot be written")

    def is_ours(self) -> bool:
        """Say whether the directory is there, and nobody else can enter it."""
        try:
            status = os.lstat(self.directory)
        except OSError:
            return False
        mine = status.st_uid == os.geteuid() and not stat.S_IMODE(status.st_mode) & 0o077
        return stat.S_ISDIR(status.st_mode) and mine

    @contextlib.contextmanager
    def starting(self) -> Iterator[None]:
        """Wait until nobody else is about to start a client of this name; be alone in that in the block."""
        lock = self._open_lock(self._starting)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Have the name for oneself in the block. Raises OperatorError, AlreadyRunning if another has it."""
        lock = self._open_lock(self._lock)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyRunning(
                    f'a client named "{self.name}" is running already; end it with "headrace disconnect", or '
                    "give this one a --name of its own"
                ) from None
            self.socket.unlink(missing_ok=True)
            try:
                yield
            finally:
                self.socket.unlink(missing_ok=True)
        finally:
            os.close(lock)

    @staticmethod
    def _open_lock(path: Path) -> int:
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise OperatorError(f"{path} cannot be opened: {error.strerror}; remove it") from error

    def remember_data(self, directory: Path) -> None:
        """Note where the client keeps its files, for when it does not run any more. Failing is no harm."""
        with contextlib.suppress(OSError), open(self._data, "wb", opener=_private) as file:
            file.write(os.fsencode(directory.absolute()))

    def data(self) -> Path | None:
        """Return where the last client kept its files, None if that is not known."""
        if not self.is_ours():
            return None
        try:
            with open(self._data, "rb") as file:
                text = os.fsdecode(file.read(_MAX_NOTE))
        except OSError:
            return None
        return Path(text) if os.path.isabs(text) and "\0" not in text else None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def places(name: str = DEFAULT_NAME) -> list[ControlPlace]:
    """Return where a client of this name may be, best first: it need not have our environment."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    directories = [Path(runtime) / "headrace"] if os.path.isabs(runtime) else []
    directories.append(Path(tempfile.gettempdir()) / f"headrace-{os.geteuid()}")
    return [ControlPlace(directory, name) for directory in directories]


def usable_place(name: str = DEFAULT_NAME) -> ControlPlace:
    """Return the best place, made ready. Raises OperatorError when there is none."""
    problem: Exception | None = None
    for place in places(name):
        try:
            place.make()
            return place
        except (OSError, OperatorError) as error:
            problem = error
    assert problem is not None
    if isinstance(problem, OperatorError):
        raise problem
    raise OperatorError(
        f"there is no directory for the control socket: {problem}; set XDG_RUNTIME_DIR to one of your own"
    ) from problem
