"""What has been changed: on the disk before it is, and until it is put back.

A kill at any moment leaves a whole record or none, and a record wherever there may be a change.
"""

import contextlib
import os
from pathlib import Path

import msgspec

from headrace.base.errors import OperatorError

__all__ = ["Record", "RecordFile", "replace_file"]

_MAX_SIZE = 1 << 20  # bytes


class Record(msgspec.Struct, frozen=True):
    """A desktop's settings: what they were, and what we made of them."""

    desktop: str
    before: dict[str, str | None]
    ours: dict[str, str | None]


class RecordFile:
    """The one record at `path`. What it does raises OperatorError."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Record | None:
        """Return the record, None if there is none."""
        try:
            with open(self.path, "rb") as file:
                return msgspec.json.decode(file.read(_MAX_SIZE), type=Record)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OperatorError(f"{self.path} cannot be read: {error.strerror}") from error
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise OperatorError(
                f"{self.path} is damaged: check the desktop's proxy settings yourself, and remove it"
            ) from error

    def write(self, record: Record) -> None:
        """Have the record on the disk."""
        try:
            replace_file(self.path, msgspec.json.encode(record))
        except OSError as error:
            raise OperatorError(f"{self.path} cannot be written: {error.strerror}") from error

    def remove(self) -> None:
        """Have it there no more."""
        try:
            self.path.unlink(missing_ok=True)
            _sync_directory(self.path.parent)
        except OSError as error:
            raise OperatorError(f"{self.path} cannot be removed: {error.strerror}") from error


def replace_file(path: Path, data: bytes) -> None:
    """Put a file for its owner only on the disk, in place of the one that is there. Raises OSError."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(handle)
    os.replace(draft, path)
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    with contextlib.suppress(PermissionError):  # where directories are no files, names need no care
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
