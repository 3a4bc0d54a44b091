"""What there is of a download: `<destination>.part`, and the ETag it belongs to in `<destination>.part.etag`.

The layout is the deployed client's (spec "server lists" §3.2). Whatever moment a process is killed at, what
is left is the beginning of an entity, or is thrown away by who comes next.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Self

from headrace.base.errors import DocumentError, NetworkError, OperatorError

if sys.platform != "win32":  # pragma: no branch
    import fcntl

__all__ = ["PartialFile", "usable_etag"]

#: Bytes; a longer ETag is of no use to anybody.
MAX_ETAG: Final = 1024
_FIELD_VALUE: Final = re.compile(r"[\x21-\x7e\x80-\xff](?:[\t \x21-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?")


def usable_etag(text: str) -> bool:
    """Whether an ETag can be sent back in a header (RFC 9110 §5.5). The empty one cannot."""
    return len(text) <= MAX_ETAG and _FIELD_VALUE.fullmatch(text) is not None


class PartialFile:
    """The partial file of one destination, open for appending and nobody else's meanwhile.

    Errors of the file system come out as OperatorError, without the path.
    """

    def __init__(self, destination: Path) -> None:
        self._destination = destination
        self._part = destination.with_name(f"{destination.name}.part")
        self._etag = destination.with_name(f"{destination.name}.part.etag")
        self._file = -1
        self.size = 0  #: bytes there are

    def __enter__(self) -> Self:
        with _clear_errors():
            self._file = os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                self._claim()
                self.size = os.fstat(self._file).st_size
            except BaseException:
                os.close(self._file)
                raise
        return self

    def __exit__(self, *_exception: object) -> None:
        os.close(self._file)

    def _claim(self) -> None:
        if sys.platform == "win32":  # pragma: no cover
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ours = os.path.samestat(os.fstat(self._file), os.stat(self._part))
        except (BlockingIOError, FileNotFoundError):
            ours = False  # somebody is at it, or was until just now
        if not ours:
            raise NetworkError("the same file is being fetched already")

    def etag(self) -> str:
        """Return the ETag of what there is. Raises DocumentError if none can be had."""
        try:
            text = self._etag.read_bytes()[: MAX_ETAG + 1].decode("latin-1")
        except OSError as error:
            raise DocumentError("the partial download has lost its ETag") from error
        if not usable_etag(text):
            raise DocumentError("the partial download has lost its ETag")
        return text

    def set_etag(self, etag: str) -> None:
        """Remember what the bytes to come belong to. If that fails they cannot be resumed, that is all."""
        data = etag.encode("latin-1")
        with suppress(OSError):
            if self.size and self._etag.read_bytes() == data:
                return  # not written again: a kill in the middle would lose it
        try:
            self._etag.write_bytes(data)
        except OSError:
            with suppress(OSError):
                self._etag.unlink()

    def append(self, data: bytes) -> None:
        """Write `data` at the end."""
        view = memoryview(data)
        with _clear_errors():
            while view:
                written = os.write(self._file, view)
                self.size += written
                view = view[written:]

    def truncate(self) -> None:
        """Begin again."""
        with _clear_errors():
            os.ftruncate(self._file, 0)
        self.size = 0

    def discard(self) -> None:
        """Remove both files."""
        with _clear_errors():
            self._part.unlink(missing_ok=True)
            self._etag.unlink(missing_ok=True)

    def complete(self) -> None:
        """Put the file in the destination's place."""
        with _clear_errors():
            self._part.replace(self._destination)
            self._etag.unlink(missing_ok=True)


@contextmanager
def _clear_errors() -> Iterator[None]:
    """Turn what the file system says into words without paths."""
    try:
        yield
    except OSError as error:
        raise OperatorError(f"the download cannot be kept: {error.strerror}") from error
