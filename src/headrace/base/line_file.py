"""A file to whose end several processes write lines: a log.

A line is one write, so lines of several processes never mix. The file may be moved away at any time, and is
made anew then. What cannot be written is lost and never an error: a full disk is no reason to stop.
"""

import os
from pathlib import Path
from typing import Final

__all__ = ["LineFile"]

_STANDARD_ERROR: Final = 2


class LineFile:
    """Appends to the file at `path`, or to standard error if there is none."""

    def __init__(self, path: Path | None, mode: int = 0o600) -> None:
        self.lost = 0  #: lines since the last that could be written
        self._path = path
        self._mode = mode
        self._descriptor = -1 if path else _STANDARD_ERROR
        self._torn = False  # the last line is only partly there

    def append(self, line: bytes) -> bool:
        """Write a line, which ends with a newline; return whether it is there."""
        if self._torn:
            line = b"\n" + line  # so that what is left of the torn line spoils no other
        try:
            self.open()
            done = os.write(self._descriptor, line)
        except OSError:
            self.lost += 1
            return False
        self._torn = done < len(line)
        self.lost = self.lost + 1 if self._torn else 0
        return not self._torn

    def open(self) -> None:
        """See to it that the file is open under its name. Raises OSError."""
        if self._path is None:
            return
        try:
            there = os.stat(self._path)
        except FileNotFoundError:
            self.close()
        else:
            if self._descriptor >= 0 and not os.path.samestat(there, os.fstat(self._descriptor)):
                self.close()
        if self._descriptor < 0:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
            self._descriptor = os.open(self._path, flags, self._mode)

    def close(self) -> None:
        """Close the file; a later line opens it again."""
        if self._path is not None and self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
