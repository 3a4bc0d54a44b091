"""A text with its signature: the carrier of server lists and their relatives (server lists spec §2).

    zlib( {"data": <text>, "signingPublicKeyDigest": <base64>, "signature": <base64>} )

Signed are the UTF-8 bytes of `data` alone. There are two readers. `read_package` takes any JSON and needs
the whole package in memory. `open_package` takes a file of any size in 64 KiB steps and a subset of JSON
(see `package_stream`): it goes through the file once to check all of it, and only then hands out a reader,
which goes through it again and notices if the file is no longer the one that was checked.

The package has no date and no name in it: how fresh it is and what it is for, its source has to tell.
"""

import base64
import binascii
import codecs
import hashlib
import io
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from headrace.base.errors import DocumentError
from headrace.crypto.rsa_signing import PackageSigningKey, PackageVerifyingKey
from headrace.documents.config_reader import explain
from headrace.documents.package_stream import inflate, scan, unescape
from headrace.documents.server_list import MAX_LINE

__all__ = ["MAX_PACKAGE", "PackageReader", "make_package", "open_package", "read_package"]

MAX_PACKAGE = 128 * 1024 * 1024  # bytes of a package, inflated

_MAX_SHORT_FIELD = 4096  # characters of digest and signature; a key of 16,384 bits needs 2732
_MARK_SIZE = 16
_CONTROLS = bytes(range(0x20))


class _Package(msgspec.Struct, frozen=True, rename="camel"):
    data: str
    signing_public_key_digest: str
    signature: str


def make_package(data: str, key: PackageSigningKey, *, compress: bool = True) -> bytes:
    """Return `data` signed and, but for very old readers, compressed. Raises DocumentError.

    Streaming readers take no text that has to be escaped, line ends apart: hex and base64 are fine.
    """
    try:
        signature = key.sign(data.encode())
    except UnicodeEncodeError as error:
        raise DocumentError(
            f"text cannot be signed: {error.reason} at character {error.start + 1}"
        ) from error
    package = msgspec.json.encode(_Package(data, key.digest, base64.b64encode(signature).decode()))
    if len(package) > MAX_PACKAGE:
        raise DocumentError(f"package would be too large for its readers: more than {MAX_PACKAGE} bytes")
    return zlib.compress(package) if compress else package


def read_package(
    package: bytes, key: PackageVerifyingKey, *, compressed: bool = True, max_size: int = MAX_PACKAGE
) -> str:
    """Return the data of a small package. Raises DocumentError unless `key` signed exactly this data."""
    if len(package) > max_size:
        raise DocumentError(f"package is too large: more than {max_size} bytes")
    if compressed:
        package = b"".join(inflate(io.BytesIO(package), max_size))
    try:
        read = msgspec.json.decode(package, type=_Package)
    except msgspec.ValidationError as error:
        raise DocumentError(f"not a package: {explain(error)}") from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise DocumentError(f"not a package: {error}") from error
    sha256 = hashlib.sha256(read.data.encode()).digest()
    _verify(key, sha256, read.signing_public_key_digest, read.signature)
    return read.data


def open_package(file: BinaryIO, key: PackageVerifyingKey, *, max_size: int = MAX_PACKAGE) -> "PackageReader":
    """Check the zlib-compressed package that is all of `file`, and return a reader of its data.

    Raises DocumentError unless `key` signed exactly this data. The time taken grows with the size, about a
    quarter of a second for 32 MB: a busy event loop leaves it to a thread.
    """
    marks = bytearray()
    running = hashlib.sha256()
    utf_8 = codecs.getincrementaldecoder("utf-8")()
    short = {"signingPublicKeyDigest": b"", "signature": b""}
    try:
        for name, piece in scan(inflate(file, max_size)):
            if name == "data":
                if len(piece.translate(None, _CONTROLS)) != len(piece):
                    raise DocumentError("not a package: a control character inside its text")
                utf_8.decode(piece)
                running.update(unescape(piece))
                marks += _mark(running)
            else:
                short[name] += piece
                if len(short[name]) > _MAX_SHORT_FIELD:
                    raise DocumentError(f"not a package: {name} is longer than any key makes it")
        utf_8.decode(b"", True)
    except UnicodeDecodeError as error:
        raise DocumentError(f"not a package: its text is not UTF-8: {error.reason}") from error
    digest, signature = (value.decode("latin-1") for value in short.values())
    _verify(key, running.digest(), digest, signature)
    return PackageReader(file, max_size, bytes(marks))


class PackageReader:
    """The data of a package that was checked; made by `open_package`.

    It reads the file, which has to stay open, anew for each iteration: one at a time. Should the file have
    changed since it was checked, DocumentError is raised before anything changed is handed out.
    """

    def __init__(self, file: BinaryIO, max_size: int, marks: bytes) -> None:
        self._file = file
        self._max_size = max_size
        self._marks = marks  # per piece of data, the hash of all up to its end

    def chunks(self) -> Iterator[bytes]:
        """Yield the data as UTF-8, up to 64 KiB at a time."""
        running = hashlib.sha256()
        place = 0
        for name, piece in scan(inflate(self._file, self._max_size)):
            if name == "data":
                text = unescape(piece)
                running.update(text)
                if _mark(running) != self._marks[place : place + _MARK_SIZE]:
                    break
                place += _MARK_SIZE
                if text:
                    yield text
                if place == len(self._marks):
                    return
        raise DocumentError("package changed while it was being read")

    def lines(self) -> Iterator[str]:
        """Yield the lines of the data without their LF; one at the very end starts no further line.

        Raises DocumentError at a line longer than `server_list.MAX_LINE` bytes; those before it were yielded.
        """
        rest = b""
        number = 1
        for chunk in self.chunks():
            *complete, rest = (rest + chunk).split(b"\n")
            for line in complete:
                yield _line(line, number)
                number += 1
            _check_length(rest, number)
        if rest:
            yield _line(rest, number)


def _line(line: bytes, number: int) -> str:
    _check_length(line, number)
    return line.decode()


def _check_length(line: bytes, number: int) -> None:
    if len(line) > MAX_LINE:
        raise DocumentError(f"line {number}: longer than {MAX_LINE} characters")


def _mark(running: "hashlib._Hash") -> bytes:
    return running.copy().digest()[:_MARK_SIZE]


def _verify(key: PackageVerifyingKey, sha256: bytes, digest: str, signature: str) -> None:
    if _from_base64(digest, "signingPublicKeyDigest") != base64.b64decode(key.digest):
        raise DocumentError("package is signed with another key")
    if not key.verify_hash(sha256, _from_base64(signature, "signature")):
        raise DocumentError("package was changed after it was signed")


def _from_base64(text: str, name: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DocumentError(f"not a package: {name} is not base64") from error
