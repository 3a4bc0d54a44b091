"""The other end of the control socket: asking a client that runs on this machine, with blocking calls."""

import contextlib
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import Final

from headrace.base.errors import DocumentError, NetworkError
from headrace.client.control_messages import Command, read_refusal
from headrace.client.control_place import ControlPlace, places
from headrace.client.status import Status
from headrace.establishment.journal import Record

__all__ = ["RunningClient", "find"]

#: Seconds that a client has to answer.
PATIENCE: Final = 5.0
#: Bytes in an answer; the journal of a thousand attempts is a third of a megabyte.
MAX_ANSWER: Final = 4 << 20
_CHUNK = 1 << 16


def find(name: str) -> "RunningClient | None":
    """Return a connection to the client of this name, None if none runs. Raises NetworkError."""
    for place in places(name):
        if place.is_ours() and (connection := _connect(place)) is not None:
            return RunningClient(connection)
    return None


def _connect(place: ControlPlace) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(PATIENCE)
    try:
        connection.connect(str(place.socket))
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    except OSError as error:
        connection.close()
        raise NetworkError(f"the client cannot be asked: {error}") from error
    return connection


class RunningClient:
    """A connection to a client. Raises NetworkError when it breaks, DocumentError on nonsense."""

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

    def __enter__(self) -> "RunningClient":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def status(self) -> Status:
        """Ask how it is."""
        self._ask(Command.STATUS)
        return Status.from_json(self._answer())

    def explain(self) -> Record | None:
        """Ask for the record of its last establishment, None if there was none yet."""
        self._ask(Command.EXPLAIN)
        answer = self._answer()
        return None if answer == b"null" else Record.from_json(answer)

    def watch(self, timeout: float | None = None) -> Iterator[Status]:
        """Yield how it is whenever that has changed, until it ends.

        Nothing else can be asked on this connection. Raises TimeoutError after `timeout` seconds.
        """
        self._ask(Command.WATCH)
        until = None if timeout is None else time.monotonic() + timeout
        while line := self._line(until):
            yield Status.from_json(line)

    def stop(self, timeout: float) -> bool:
        """Have it end in an orderly way; say whether it has within so many seconds."""
        self._ask(Command.STOP)
        until = time.monotonic() + timeout
        try:
            self._answer()
            while self._line(until):
                pass
        except TimeoutError:
            return False
        except NetworkError:
            pass  # it was about to end anyway
        return self._has_ended(until)

    def _has_ended(self, until: float) -> bool:
        """Wait for the process's own end, which is a little later than the connection's."""
        if self._ended is None:
            return True
        left = max(0.0, until - time.monotonic())
        return bool(select.select([self._ended], [], [], left)[0])

    def _ask(self, command: Command) -> None:
        try:
            self._connection.sendall(b'{"command":"%s"}\n' % command.value.encode())
        except OSError as error:
            raise NetworkError("the client has ended") from error

    def _answer(self) -> bytes:
        line = self._line(time.monotonic() + PATIENCE, "the client does not answer")
        if not line:
            raise NetworkError("the client has ended, or has too many questions to answer")
        if refusal := read_refusal(line):
            raise DocumentError(f"the client does not understand: {refusal}")
        return line

    def _line(self, until: float | None, late: str = "") -> bytes:
        """Return the next line, empty at the end. Raises TimeoutError, or NetworkError that says `late`."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > MAX_ANSWER:
                raise DocumentError("the client's answer is too long to be one")
            try:
                self._connection.settimeout(None if until is None else max(0.001, until - time.monotonic()))
                chunk = self._connection.recv(_CHUNK)
            except TimeoutError:
                if late:
                    raise NetworkError(late) from None
                raise
            except OSError as error:
                raise NetworkError("the client has ended") from error
            if not chunk:
                return b""
            self._buffer += chunk
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line


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
