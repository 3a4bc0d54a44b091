"""The registry: all lists of a propagation channel, and for each the tree of shares that opens it.

    {"FileSpecs": [{"ID": …, "KeyShares": {…}, "MD5Sum": …}, …]}      base64, in a signed package

Registries grow with every period, so one is read item by item: no more than one is in memory at any time.
There is a compact CBOR form of an item, too, for use without files. Source: server lists spec §4.5–4.7.
"""

import base64
import binascii
import io
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from headrace.base.errors import DocumentError, RemoteProtocolError
from headrace.codec import bounded_cbor
from headrace.crypto.secret_box import open_box
from headrace.documents.config_reader import explain
from headrace.documents.osl.key_shares import MAX_LEVELS, KeyShares, Known
from headrace.documents.osl.sloks import SECRET_SIZE
from headrace.documents.signed_package import open_package

if TYPE_CHECKING:
    from headrace.crypto.rsa_signing import PackageVerifyingKey

__all__ = ["MAX_FILES", "MAX_ITEM", "FileSpec", "encode_registry", "open_osl", "read_registry"]

#: Bounds on what a registry may ask of its reader: lists in it, and bytes of JSON about one of them.
MAX_FILES: Final = 100_000
MAX_ITEM: Final = 8 * 1024 * 1024

_MD5_SIZE: Final = 16
_MAX_STRING: Final = 4096  # far above any string that belongs in a registry; so is the space before and after
_MAX_NESTING: Final = 2 * MAX_LEVELS + 1  # an object for each level and for the item, and a list in them
_CHUNK: Final = 64 * 1024

_HEAD: Final = re.compile(rb'[ \t\r\n]*\{[ \t\r\n]*"FileSpecs"[ \t\r\n]*:[ \t\r\n]*\[')
_END: Final = re.compile(rb"\][ \t\r\n]*\}[ \t\r\n]*")
_SPACE: Final = b" \t\r\n"
#: A whole string, a bracket, or the quote of a string whose end is still to come.
_TOKEN: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}"]', re.DOTALL)


class FileSpec(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """What a registry says about one list. Raises ValueError when made with an ID or sum of another size."""

    id: bytes = msgspec.field(name="ID")
    key_shares: KeyShares
    md5_sum: bytes | None = msgspec.field(default=None, name="MD5Sum")

    def __post_init__(self) -> None:
        if len(self.id) != SECRET_SIZE:
            raise ValueError(f"an ID of {len(self.id)} bytes")
        if self.md5_sum and len(self.md5_sum) != _MD5_SIZE:
            raise ValueError(f"an MD5 sum of {len(self.md5_sum)} bytes")

    @property
    def etag(self) -> str:
        """The ETag that storage gives the file; when the sum was left out, one that no file has."""
        return f'"{(self.md5_sum or b"").hex()}"'

    def unlockable(self, known: Known) -> bool:
        """Whether the SLOKs that are `known` open this list. Nothing is decrypted."""
        return self.key_shares.satisfied(known)

    def file_key(self, known: Known) -> bytes:
        """Return the list's key. Raises DocumentError, also when there are not SLOKs enough."""
        key = self.key_shares.reassemble(known)
        if key is None:
            raise DocumentError("not enough keys are known to open this server list")
        return key

    def to_cbor(self) -> bytes:
        """Return the compact form."""
        return bounded_cbor.encode(
            _present({1: self.id, 2: _shares_to_map(self.key_shares), 3: self.md5_sum})
        )

    @classmethod
    def from_cbor(cls, data: bytes) -> "FileSpec":
        """Read the compact form, in which there are fewer shares than in a file. Raises DocumentError."""
        try:
            names = {1: "ID", 2: "KeyShares", 3: "MD5Sum"}
            members = _named(bounded_cbor.decode(data, max_depth=_MAX_NESTING + 1), names)
            members["KeyShares"] = _shares_from_map(members.get("KeyShares"))
            return msgspec.convert(members, cls, builtin_types=(bytes,))
        except RemoteProtocolError as error:
            raise DocumentError(f"server list's keys: {error}") from error
        except msgspec.ValidationError as error:
            raise DocumentError(f"server list's keys: {explain(error)}") from error


def read_registry(data: str | Iterable[bytes]) -> Iterator[FileSpec]:
    """Yield what a registry says about each list. `data` is the package's, whole or in pieces.

    Raises DocumentError at a mistake; what came before was yielded.
    """
    chunks = [data.encode("ascii", "replace")] if isinstance(data, str) else data
    seen: set[bytes] = set()
    for number, item in enumerate(_items(_decoded(chunks)), start=1):
        if number > MAX_FILES:
            raise DocumentError(f"registry of more than {MAX_FILES:,} server lists")
        try:
            spec = msgspec.json.decode(item, type=FileSpec)
        except msgspec.ValidationError as error:
            raise DocumentError(f"registry: server list {number}: {explain(error)}") from error
        except msgspec.DecodeError as error:
            raise DocumentError(f"registry: server list {number} is not JSON: {error}") from error
        if spec.id in seen:
            raise DocumentError(f"registry: server list {number} was listed before")
        seen.add(spec.id)
        yield spec


def encode_registry(items: Iterable[FileSpec]) -> str:
    """Return the text of a registry, ready for a package."""
    listed = b",".join(map(msgspec.json.encode, items))
    # An empty list must be written as one: readers take no null here.
    json = b'{"FileSpecs":[' + listed + b"]}" if listed else b'{"FileSpecs" : []}'
    return base64.b64encode(json).decode()


def open_osl(contents: bytes, file_key: bytes, key: "PackageVerifyingKey") -> Iterator[str]:
    """Return the lines of a list's file, encoded entries. Raises DocumentError before releasing anything."""
    return open_package(io.BytesIO(open_box(file_key, contents)), key).lines()


def _decoded(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what base64 in pieces stands for, in pieces of a good size. Line ends may be in it anywhere."""
    pending = bytearray()
    ended = False
    for chunk in chunks:
        for start in range(0, len(chunk), _CHUNK):
            pending += chunk[start : start + _CHUNK].translate(None, b"\r\n")
            if len(pending) >= _CHUNK:
                whole = len(pending) // 4 * 4
                yield _base64(pending[:whole], after_end=ended)
                ended = pending[whole - 1 : whole] == b"="
                del pending[:whole]
    yield _base64(pending, after_end=ended)


def _base64(text: bytearray, *, after_end: bool) -> bytes:
    if after_end and text:
        raise DocumentError("registry goes on after the end of its base64")
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error as error:
        raise DocumentError(f"registry is not base64: {error}") from error


def _items(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the JSON of one item after the other: brackets balanced, size and depth bounded."""
    text = _head(chunks)
    position = 0  # all before was looked at
    start = 0  # of the item being looked at, or the end of the one before
    depth, listed = 0, False
    while True:
        for match in _TOKEN.finditer(text, position):
            token, position = match[0], match.end()
            if token == b'"':
                position = match.start()
                if len(text) - position > _MAX_STRING:
                    raise DocumentError("registry with an endless string")
                break
            if not depth:
                between = text[start : match.start()].strip(_SPACE)
                if token == b"]" and not between:
                    _check_end(text[match.start() :], chunks)
                    return
                if token != b"{" or between != (b"," if listed else b""):
                    raise DocumentError("registry is not a list of objects")
                start = match.start()
            depth += _NESTING.get(token, 0)
            if depth > _MAX_NESTING:
                raise DocumentError("registry nested too deeply")
            if not depth:
                yield text[start:position]
                start, listed = position, True
        else:
            position = len(text)
        if len(text) - start > MAX_ITEM:
            raise DocumentError(f"registry with an item of more than {MAX_ITEM:,} bytes")
        chunk = next(chunks, None)
        if chunk is None:
            raise DocumentError("registry is cut short")
        text = text[start:] + chunk
        position -= start
        start = 0


_NESTING: Final = {b"{": 1, b"[": 1, b"}": -1, b"]": -1}


def _head(chunks: Iterator[bytes]) -> bytes:
    """Return what follows the beginning of the list, as far as it has come in."""
    text = b""
    for chunk in chunks:
        text += chunk
        if match := _HEAD.match(text, 0, _MAX_STRING):
            return text[match.end() :]
        if len(text) > _MAX_STRING:
            break
    raise DocumentError('registry does not begin with {"FileSpecs": [')


def _check_end(text: bytes, chunks: Iterator[bytes]) -> None:
    for chunk in chunks:
        text += chunk
        if len(text) > _MAX_STRING:
            break
    if len(text) > _MAX_STRING or not _END.fullmatch(text):
        raise DocumentError("registry has more in it than FileSpecs")


def _present(members: dict[int, object]) -> dict[int, object]:
    return {key: value for key, value in members.items() if value}


def _shares_to_map(shares: KeyShares) -> dict[int, object]:
    children = [_shares_to_map(child) for child in shares.key_shares or ()]
    return _present({1: shares.threshold, 2: shares.boxed_shares, 3: shares.slok_ids, 4: children})


def _shares_from_map(value: object) -> object:
    """Return the members under their names; what is no map is left to the conversion to complain of."""
    if not isinstance(value, dict):
        return value
    members = _named(value, {1: "Threshold", 2: "BoxedShares", 3: "SLOKIDs", 4: "KeyShares"})
    children = members.get("KeyShares")
    if isinstance(children, list):
        members["KeyShares"] = [_shares_from_map(child) for child in children]
    return members


def _named(value: object, names: dict[int, str]) -> dict[str, object]:
    if not isinstance(value, dict):
        raise DocumentError("server list's keys: not a map")
    return {name: value[key] for key, name in names.items() if key in value}
