"""Notices in files, for what runs the client without reading a stream (client spec §6.3).

    homepage     the pages of the newest tunnel, and nothing else
    notices      all others, as they come; at a certain size it becomes
    notices.1    which is overwritten

Lines are appended whole by one system call each. A disk that is full costs lines and nothing else.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from headrace.documents.client_config import NoticeFileSettings

__all__ = ["DEFAULT_SIZE", "DEFAULT_SYNC", "NoticeFiles"]

#: Bytes in a file before it is put aside.
DEFAULT_SIZE: Final = 1 << 20
#: Lines between two requests to the system to write them to the disk.
DEFAULT_SYNC: Final = 100


class NoticeFiles:
    """The files in `directory`, which exist from now on. Raises OSError."""

    def __init__(self, directory: Path, settings: NoticeFileSettings | None = None) -> None:
        settings = settings or NoticeFileSettings()
        self._size = settings.rotating_file_size or DEFAULT_SIZE
        self._sync = settings.rotating_sync_frequency or DEFAULT_SYNC
        self._unsynced = 0
        self._in_a_set = False
        self._homepages = _LineFile(directory / "homepage")
        try:
            self._notices = _LineFile(directory / "notices")
        except OSError:
            self._homepages.close()
            raise

    def write_homepage(self, line: str) -> None:
        """Add a page; one that does not follow another begins a new set."""
        with suppress(OSError):
            if not self._in_a_set:
                self._homepages.clear()
                self._in_a_set = True
            self._homepages.write(line)
            self._homepages.sync()

    def write(self, line: str) -> None:
        """Add any other notice."""
        self._in_a_set = False
        with suppress(OSError):
            if self._notices.size and self._notices.size + len(line.encode()) + 1 > self._size:
                self._notices.put_aside()
            self._notices.write(line)
            self._unsynced += 1
            if self._unsynced >= self._sync:
                self._unsynced = 0
                self._notices.sync()

    def close(self) -> None:
        """Close the files, which have what the disk could take."""
        for file in (self._homepages, self._notices):
            with suppress(OSError):
                file.sync()
            file.close()


class _LineFile:
    """A file for its owner's eyes, of whole lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = _open(path)
        self.size = os.fstat(self._handle).st_size
        self._torn = self.size > 0 and not _ends_a_line(path)

    def write(self, line: str) -> None:
        """Add a line. Raises OSError if not all of it was written; the next one stands on its own anyway."""
        data = ("\n" * self._torn + line + "\n").encode()
        written = os.write(self._handle, data)
        self.size += written
        self._torn = written < len(data)

    def sync(self) -> None:
        """Wait until the disk has it. Raises OSError."""
        os.fsync(self._handle)

    def clear(self) -> None:
        """Begin anew. Raises OSError."""
        os.ftruncate(self._handle, 0)
        self.size = 0
        self._torn = False

    def put_aside(self) -> None:
        """Begin a new file; the old one gets `.1` after its name, or is emptied if it cannot."""
        try:
            with suppress(FileNotFoundError):  # somebody took it away: a new one is due all the same
                self._path.replace(self._path.with_name(f"{self._path.name}.1"))
            handle = _open(self._path)
        except OSError:
            self.clear()
            return
        os.close(self._handle)
        self._handle, self.size, self._torn = handle, 0, False

    def close(self) -> None:
        os.close(self._handle)


def _open(path: Path) -> int:
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with suppress(OSError):  # an older file's mode may be another; whose it is not, keeps it
        os.fchmod(handle, 0o600)
    return handle


def _ends_a_line(path: Path) -> bool:
    with suppress(OSError), path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
    return True
