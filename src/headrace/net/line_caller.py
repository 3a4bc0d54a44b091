"""Questions and answers on a Unix socket, a line each: the side that asks, with blocking calls."""

import contextlib
import os
import select
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Final, Self

from headrace.base.errors import DocumentError, NetworkError
from headrace.net.line_server import read_refusal

__all__ = ["LineCaller", "call"]

#: Seconds to wait for an answer.
PATIENCE: Final = 5.0
#: Bytes in an answer; the longest are a third of a megabyte.
MAX_ANSWER: Final = 4 << 20
_CHUNK = 1 << 16


def call(path: Path, whom: str) -> socket.socket | None:
    """Connect to a socket, None if nobody listens there. Raises NetworkError."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(PATIENCE)
    try:
        connection.connect(str(path))
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    except OSError as error:
        connection.close()
        raise NetworkError(f"{whom} cannot be asked: {error}") from error
    return connection


class LineCaller:
    """A connection to `whom`. Raises NetworkError when it breaks, DocumentError on nonsense."""

    whom: ClassVar[str]

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = bytearray()
        self.process = _peer_process(connection)  #: its ID, 0 if it is out of sight
        self._ended = _watch_process(self.process)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()
        if self._ended is not None:
            os.close(self._ended)
            self._ended = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def ask(self, question: bytes) -> None:
        """Send a question."""
        try:
            self._connection.sendall(question + b"\n")
        except OSError as error:
            raise NetworkError(f"{self.whom} has ended") from error

    def answer(self, patience: float | None = None) -> bytes:
        """Return the answer to a question; there is one within so many seconds, or none."""
        until = time.monotonic() + (PATIENCE if patience is None else patience)
        line = self.line(until, f"{self.whom} does not answer")
        if not line:
            raise NetworkError(f"{self.whom} has ended, or has too many questions to answer")
        if refusal := read_refusal(line):
            raise DocumentError(f"{self.whom} does not understand: {refusal}")
        return line

    def line(self, until: float | None, late: str = "") -> bytes:
        """Return the next line, empty at the end. Raises TimeoutError, or NetworkError that says `late`."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > MAX_ANSWER:
                raise DocumentError(f"the answer of {self.whom} is too long to be one")
            try:
                self._connection.settimeout(None if until is None else max(0.001, until - time.monotonic()))
                chunk = self._connection.recv(_CHUNK)
            except TimeoutError:
                if late:
                    raise NetworkError(late) from None
                raise
            except OSError as error:
                raise NetworkError(f"{self.whom} has ended") from error
            if not chunk:
                return b""
            self._buffer += chunk
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def has_ended(self, until: float) -> bool:
        """Wait for the process's own end, which is a little later than the connection's."""
        if self._ended is None:
            return True
        left = max(0.0, until - time.monotonic())
        return bool(select.select([self._ended], [], [], left)[0])


def _peer_process(connection: socket.socket) -> int:
    process, _, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(process)


def _watch_process(process: int) -> int | None:
    """Return a descriptor that is readable once the process has ended, None where there is no such thing."""
    opener: Callable[[int], int] | None = getattr(os, "pidfd_open", None)
    if opener is None or not process:
        return None
    with contextlib.suppress(OSError):
        return opener(process)
    return None
