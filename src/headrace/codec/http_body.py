"""Where an HTTP/1 body ends (RFC 9112 §6.3, §7.1): by its length, its last chunk, or with the stream.

A body is passed on as it came. What is found out here is how much of what arrived belongs to it.
"""

import re
from typing import Final, Protocol

from headrace.base.errors import RemoteProtocolError
from headrace.codec.http_head import MAX_HEAD, RequestHead, ResponseHead

__all__ = ["Body", "ByLength", "Chunked", "UntilEnd", "body_of_request", "body_of_response"]

#: Bytes in the longest line that says how large a chunk is, extensions included.
_MAX_SIZE_LINE: Final = 4096
_SIZE_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[\t ]*(?:;[^\r\n\0]*)?\r\n")
_TRAILER: Final = re.compile(rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\r\n\0]*)?\r\n")


class Body(Protocol):
    """One message's body."""

    done: bool

    def take(self, data: memoryview) -> memoryview:
        """Return how much of the front of `data` belongs to the body. Raises RemoteProtocolError."""
        ...


class ByLength:
    """So many bytes, or none."""

    __slots__ = ("_left", "done")

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = length == 0

    def take(self, data: memoryview) -> memoryview:
        part = data[: self._left]
        self._left -= len(part)
        self.done = self._left == 0
        return part


class UntilEnd:
    """All there is until the stream ends; that must have ended well."""

    __slots__ = ("done",)

    def __init__(self) -> None:
        self.done = False

    def take(self, data: memoryview) -> memoryview:
        return data


class Chunked:
    """Chunks and trailers, as they are on the wire.

    Each chunk is a line with its size, its bytes and a line's end; after the line of size 0 come trailers and
    an empty line.
    """

    __slots__ = ("_left", "_line", "_trailer_room", "done", "payload")

    def __init__(self, *, decode: bool = False) -> None:
        self.done = False
        self.payload: list[memoryview] | None = [] if decode else None  #: what was in the chunks taken
        self._left = 0  # of the chunk, with the two bytes that end it
        self._line = b""  # the beginning of one
        self._trailer_room = 0  # in the trailers, once there are only these

    def take(self, data: memoryview) -> memoryview:
        at = 0
        while at < len(data) and not self.done:
            at += self._take_chunk(data[at:]) if self._left else self._take_line(data[at:])
        return data[:at]

    def _take_chunk(self, data: memoryview) -> int:
        inside = max(self._left - 2, 0)
        part = data[:inside]
        end = bytes(data[len(part) : self._left])
        if end and not b"\r\n"[2 - (self._left - len(part)) :].startswith(end):
            raise RemoteProtocolError("HTTP chunk longer than it said")
        if self.payload is not None and part:
            self.payload.append(part)
        size = len(part) + len(end)
        self._left -= size
        return size

    def _take_line(self, data: memoryview) -> int:
        limit = self._trailer_room or _MAX_SIZE_LINE
        piece = bytes(data[: limit - len(self._line)])
        end = piece.find(b"\n") + 1
        line = self._line + (piece[:end] if end else piece)
        if not end:
            if len(line) >= limit:
                raise RemoteProtocolError("HTTP chunk with a line that does not end")
            self._line = line
            return len(piece)
        self._line = b""
        if self._trailer_room:
            self._on_trailer(line)
        else:
            self._on_size(line)
        return end

    def _on_size(self, line: bytes) -> None:
        match = _SIZE_LINE.fullmatch(line)
        if match is None:
            raise RemoteProtocolError("HTTP chunk without a size")
        size = int(match[1], 16)
        if size:
            self._left = size + 2
        else:
            self._trailer_room = MAX_HEAD

    def _on_trailer(self, line: bytes) -> None:
        if _TRAILER.fullmatch(line) is None:
            raise RemoteProtocolError("HTTP trailer that is none")
        self.done = line == b"\r\n"
        self._trailer_room -= len(line)
        if self._trailer_room <= 0:
            raise RemoteProtocolError(f"HTTP trailers above {MAX_HEAD} bytes")


def body_of_request(head: RequestHead) -> Body:
    """Return the body that follows a request's head."""
    return Chunked() if head.fields.chunked else ByLength(head.fields.length or 0)


def body_of_response(head: ResponseHead, method: bytes, *, decode: bool) -> Body:
    """Return the body that follows a response's head, to a request with that method."""
    if method == b"HEAD" or head.status in (204, 304) or head.status < 200:
        return ByLength(0)
    if head.fields.chunked:
        return Chunked(decode=decode)
    return UntilEnd() if head.fields.length is None else ByLength(head.fields.length)
