"""What must not be in what an audience is given, taken from the database itself, and the search for it.

The records of this package say what is given; this looks at what has come out of them, with all that was
encoded, compressed or wrapped on the way unwrapped again.
"""

import base64
import binascii
import contextlib
import re
import zlib
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import inspect

from headrace.network.book import View
from headrace.network.model import SECRETS, Audience, Base, Entity, Host, Server, audiences, secret_audiences

__all__ = ["forbidden_values", "leaks"]

#: Shorter values are found everywhere by chance.
_LEAST_LENGTH: Final = 6
_ZLIB_OR_GZIP: Final = 47  # bits of the window, and 32
_MOST_UNPACKED: Final = 64 << 20
_DEEPEST: Final = 5
_HEX: Final = re.compile(rb"[0-9A-Fa-f]{12,}")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]{8,}={0,2}")
_ADDRESS: Final = re.compile(rb"[0-9]+(?:\.[0-9]+){3}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]+")
_ESCAPED: Final = re.compile(rb'(?:\\u[0-9A-Fa-f]{4})+|\\["\\/bfnrt]')
_ESCAPES: Final = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def forbidden_values(
    view: View,
    audience: Audience,
    servers: Collection[Server] | None = None,
    *,
    told: Collection[Server] = (),
) -> dict[str, str]:
    """Return what an audience must not be given: value -> what it is.

    With `servers`, it is about these, with their hosts, and of all others even the address is too much.
    Of those in `told` it is given the entries, and with them all that clients see.
    """
    about = None if servers is None else {*servers, *(server.host for server in servers)}
    hosts = {server.host for server in told}
    in_entries: set[Entity] = {*told, *hosts, *(host.provider for host in hosts)}
    allowed: set[str] = set()
    forbidden: dict[str, str] = {}
    for entity in _entities(view):
        in_scope = about is None or not isinstance(entity, Server | Host) or entity in about
        for what, value, seen_by in _values(view, entity):
            if (in_scope and audience in seen_by) or (entity in in_entries and Audience.CLIENT in seen_by):
                allowed.update(_texts(value))
            else:
                forbidden.update(dict.fromkeys(_texts(value), what))
    return {text: what for text, what in forbidden.items() if text not in allowed}


def leaks(data: bytes, forbidden: dict[str, str]) -> list[str]:
    """Return what of the forbidden is in the data, in whatever wrapping."""
    layers = b"\n".join(_layers(data, _DEEPEST))
    return sorted({what for text, what in forbidden.items() if _is_in(text.encode(), layers)})


def _is_in(text: bytes, data: bytes) -> bool:
    """Say whether a text is there; of an address, the beginning or end of another is not it."""
    if text not in data or not _ADDRESS.fullmatch(text):
        return text in data
    of_address = rb"[0-9A-Fa-f:]" if b":" in text else rb"[0-9]"
    whole = rb"(?<!%b)(?<![0-9]\.)%b(?!%b|\.[0-9])" % (of_address, re.escape(text), of_address)
    return re.search(whole, data) is not None


def _entities(view: View) -> Iterator[Entity]:
    for mapper in Base.registry.mappers:
        if issubclass(mapper.class_, Entity):
            yield from view.all(mapper.class_)


def _values(view: View, entity: Entity) -> Iterator[tuple[str, Any, frozenset[Audience]]]:
    kind = type(entity)
    for name, column in inspect(kind).columns.items():
        yield f"{kind.__tablename__}.{name}", getattr(entity, name), audiences(column)
    if kind in SECRETS:
        for name, value in view.secrets(entity).items():
            yield f"{kind.__tablename__}.secret.{name}", value, secret_audiences(kind, name)


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in a value by which it can be recognised."""
    match value:
        case str():
            yield from (line for line in value.splitlines() if len(line) >= _LEAST_LENGTH)
        case bytes():
            yield base64.b64encode(value).decode()
        case UUID():
            yield str(value)
        case dict():
            for name, each in value.items():
                yield from _texts(name)
                yield from _texts(each)
        case list():
            for each in value:
                yield from _texts(each)
        case datetime() | int() | None:
            pass  # says nothing by itself


def _layers(data: bytes, depth: int) -> Iterator[bytes]:
    """Yield the data, and all that can be unwrapped from it."""
    yield data
    if depth == 0:
        return
    for inner in _unwrapped(data):
        yield from _layers(inner, depth - 1)


def _unwrapped(data: bytes) -> Iterable[bytes]:
    try:
        yield zlib.decompressobj(_ZLIB_OR_GZIP).decompress(data, _MOST_UNPACKED)
    except zlib.error:
        pass
    if _ESCAPED.search(data):
        yield _ESCAPED.sub(lambda match: _unescaped(match[0]), data)
    # What stands before it may look like a part of it: it begins anywhere.
    for match in _HEX.finditer(data):
        for start in range(2):
            text = match[0][start:]
            yield bytes.fromhex(text[: len(text) & ~1].decode())
    for match in _BASE64.finditer(data):
        for start in range(4):
            text = match[0].rstrip(b"=")[start:].translate(bytes.maketrans(b"-_", b"+/"))
            with contextlib.suppress(binascii.Error):
                yield base64.b64decode(text + b"=" * (-len(text) % 4))


def _unescaped(escape: bytes) -> bytes:
    if escape[1:2] == b"u":
        return bytes.fromhex(escape.replace(b"\\u", b"").decode()).decode("utf-16-be", "replace").encode()
    return _ESCAPES.get(escape[1:], escape[1:])
