"""The outside of a signed package, piece by piece: zlib around a small subset of JSON (server lists spec §2).

    inflate     a zlib file -> chunks of JSON
    scan        chunks of JSON -> (field name, piece of its value, escapes and all)
    unescape    a piece -> the text it stands for

Nothing here trusts its input or holds more than a chunk of it. The subset is what writers of packages keep
to: one object, its three fields in any order, each once; string values with no escape but `\\n`; white space
between tokens. All work is done by searches over whole chunks, never byte by byte.
"""

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from headrace.base.errors import DocumentError

__all__ = ["CHUNK", "inflate", "scan", "unescape"]

CHUNK = 65_536  # bytes read, and bytes of JSON handed on, at a time

_FIELDS = ("data", "signingPublicKeyDigest", "signature")

_WHITE_SPACE = b" \t\r\n"
_MAX_NAME = max(map(len, _FIELDS))
_DENSE = 256  # bytes per escape, below which finding each one by itself does not pay
_DEFLATE, _CHECK = 8, 31  # RFC 1950 §2.2: the method, and what the two bytes of the header are a multiple of


def inflate(file: BinaryIO, max_size: int) -> Iterator[bytes]:
    """Yield what the zlib stream that is the whole of `file` holds, up to CHUNK bytes at a time.

    Raises DocumentError when it is no such stream, cut short, damaged, followed by anything, or when
    compressed or not it has more than `max_size` bytes.
    """
    file.seek(0)
    pending = file.read(CHUNK)
    if len(pending) >= 2 and not _is_zlib(pending):
        raise DocumentError("not a package: not compressed with zlib")
    inflater = zlib.decompressobj()
    size_in, size_out = len(pending), 0
    while not inflater.eof:
        if not pending:
            raise DocumentError(f"package is cut short after {size_in} compressed bytes")
        try:
            chunk = inflater.decompress(pending, CHUNK)
        except zlib.error as error:
            raise DocumentError(f"package is damaged: {error}") from error
        size_out += len(chunk)
        if max(size_in, size_out) > max_size:
            raise DocumentError(f"package is too large: more than {max_size} bytes")
        if chunk:
            yield chunk
        if not (pending := inflater.unconsumed_tail) and not inflater.eof:
            pending = file.read(CHUNK)
            size_in += len(pending)
    if inflater.unused_data or file.read(1):
        raise DocumentError("package is followed by bytes that do not belong to it")


def scan(chunks: Iterator[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield the values of the package's fields in pieces; an empty value is one empty piece.

    No escape lies across two pieces. Raises DocumentError for anything but the subset of JSON described
    above; what is inside the strings is left to `unescape`.
    """
    source = _Source(chunks)
    seen = []
    source.expect(b"{")
    separator = b","
    while separator == b",":
        source.expect(b'"')
        name = source.name()
        if name in seen:
            raise DocumentError(f"not a package: field {name} comes twice")
        seen.append(name)
        source.expect(b":")
        source.expect(b'"')
        for piece in source.string():
            yield name, piece
        separator = source.expect(b",}")
    source.expect(b"")
    if missing := [name for name in _FIELDS if name not in seen]:
        raise DocumentError(f"not a package: field {missing[0]} is missing")


def unescape(piece: bytes) -> bytes:
    """Return what a piece of a string stands for. Raises DocumentError at an escape other than `\\n`."""
    escapes = piece.count(b"\\")
    if not escapes:
        return piece
    if escapes < len(piece) // _DENSE:
        # Looking for one byte is several times faster than for two, and lists consist of long lines.
        first, *others = piece.split(b"\\")
        valid = all(other.startswith(b"n") for other in others)
        plain = b"\n".join([first, *(other[1:] for other in others)])
    else:
        valid = piece.count(b"\\n") == escapes
        plain = piece.replace(b"\\n", b"\n")
    if not valid:
        raise DocumentError("not a package: an escape other than \\n inside a string")
    return plain


class _Source:
    """Tokens off a row of chunks."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = b""

    def expect(self, allowed: bytes) -> bytes:
        """Return the next byte after white space, one of `allowed`; none allowed stands for the end."""
        left = self._left.lstrip(_WHITE_SPACE)
        while not left and self._more():
            left = self._left.lstrip(_WHITE_SPACE)
        token, self._left = left[:1], left[1:]
        if not token and allowed:
            raise DocumentError("not a package: its JSON is cut short")
        if token not in allowed:
            wanted = " or ".join(chr(byte) for byte in allowed) or "the end"
            raise DocumentError(f"not a package: {chr(token[0])!a} where {wanted} was expected")
        return token

    def name(self) -> str:
        """Return the name of a field, whose opening quote was taken."""
        name = b""
        for piece in self.string():
            name += piece
            if len(name) > _MAX_NAME:
                break
        for field in _FIELDS:
            if name == field.encode():
                return field
        raise DocumentError(f"not a package: unknown field {name[:_MAX_NAME].decode('latin-1')!a}")

    def string(self) -> Iterator[bytes]:
        """Yield the rest of a string, whose opening quote was taken, up to its closing one."""
        while self._left or self._more():
            chunk = self._left
            if (end := chunk.find(b'"')) >= 0:
                self._left = chunk[end + 1 :]
                yield chunk[:end]
                return
            self._left = b""
            if chunk.endswith(b"\\") and self._more():
                # An escape lies across the border: its backslash goes with what follows.
                chunk, self._left = chunk[:-1], b"\\" + self._left
            if chunk:
                yield chunk
        raise DocumentError("not a package: a string has no closing quote")

    def _more(self) -> bool:
        self._left = next(self._chunks, b"")
        return bool(self._left)


def _is_zlib(data: bytes) -> bool:
    return data[0] & 0x0F == _DEFLATE and int.from_bytes(data[:2], "big") % _CHECK == 0
