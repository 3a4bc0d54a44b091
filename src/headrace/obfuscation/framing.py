"""Framing: what stands behind an HTTP head as the chunks of its body (RFC 9112 §7.1).

    head CRLF CRLF ‖ size CRLF ‖ data ‖ CRLF size CRLF ‖ data ‖ … ‖ CRLF 0 CRLF CRLF

Sizes are lower-case hexadecimal without leading zeros, as common programs write them. Extensions and
trailers, which no peer of ours sends, are refused. What stands between two pieces of data is read as one
*line*, from the CR LF that ends a chunk to the one that begins the data of the next; before the first chunk,
the last CR LF of the head takes that place.

Nothing waits for a chunk to be complete, so a size may be anything up to 2^32 - 1 and costs nothing.
"""

import re
from collections.abc import Sequence
from typing import Final

from headrace.base.errors import RemoteProtocolError

__all__ = ["LAST_CHUNK", "Deframer", "frame"]

#: Ends the body, and with it the message.
LAST_CHUNK: Final = b"0\r\n\r\n"
_CRLF: Final = b"\r\n"
_LINE: Final = re.compile(rb"\r\n(?:([1-9a-f][0-9a-f]{0,7})\r\n|0\r\n\r\n)")
_LONGEST_LINE: Final = len(b"\r\nffffffff\r\n")


def frame(pieces: Sequence[bytes | memoryview]) -> bytes:
    """Return the chunk of the pieces' bytes; at least one, for the chunk of none would end the body."""
    return b"".join((b"%x\r\n" % sum(map(len, pieces)), *pieces, _CRLF))


class Deframer:
    """Takes chunks apart, wherever they are cut.

    It begins directly behind a head, or, `inside` the first chunk, behind the last byte of its data.
    """

    __slots__ = ("_left", "_line", "ended")

    def __init__(self, *, inside: bool = False) -> None:
        self._left = 0  # bytes of data still to come in the present chunk
        self._line = b"" if inside else _CRLF  # what is there of the present line
        #: The last chunk has come.
        self.ended = False

    def strip(self, buffer: memoryview, start: int, end: int) -> int:
        """Leave only the data of what is in `buffer` from `start` to `end`; return where that ends.

        The data is moved together in place, so that large reads are not copied anew. Raises
        RemoteProtocolError on anything that is not a chunk as above, and on bytes behind the last one.
        """
        kept = start
        while start < end:
            if not self._left:
                start += self._read_line(bytes(buffer[start : min(end, start + _LONGEST_LINE)]))
                continue
            size = min(self._left, end - start)
            if kept != start:
                buffer[kept : kept + size] = buffer[start : start + size]
            self._left -= size
            kept += size
            start += size
        return kept

    def receive(self, data: bytes) -> bytes:
        """Return the data of what came, by the rules of `strip`."""
        buffer = bytearray(data)
        with memoryview(buffer) as view:
            end = self.strip(view, 0, len(view))
        return bytes(buffer[:end])

    def _read_line(self, data: bytes) -> int:
        """Read on in the line between two pieces of data; return how much of `data` belongs to it."""
        if self.ended:
            raise RemoteProtocolError("bytes behind the last chunk")
        line = self._line + data
        found = _LINE.match(line)
        if found is None:
            if len(line) >= _LONGEST_LINE:
                raise RemoteProtocolError("malformed chunk")
            self._line = line
            return len(data)
        used = found.end() - len(self._line)
        self._line = b""
        if found[1] is None:
            self.ended = True
        else:
            self._left = int(found[1], 16)
        return used
