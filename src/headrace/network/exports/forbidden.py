"""What must not be in what an audience is given, taken from the database itself, and the search for it.

The records of this package say what is given; this looks at what has come out of them, with all that was
encoded, compressed or wrapped on the way unwrapped again.
"""

import base64
import binascii
import re
import zlib
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import inspect

from headrace.network.book import View
from headrace.network.model import SECRETS, Audience, Base, Entity, Server, audiences, secret_audiences

__all__ = ["forbidden_values", "leaks"]

#: Shorter values are found everywhere by chance.
_LEAST_LENGTH: Final = 6
_MOST_UNPACKED: Final = 64 << 20
_DEEPEST: Final = 5
_HEX: Final = re.compile(rb"(?:[0-9a-f]{2}){24,}")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]{32,}={0,2}")
_ESCAPED: Final = re.compile(rb"\\u[0-9a-f]{4}|\\/")


def forbidden_values(
    view: View, audience: Audience, servers: Collection[Server] | None = None
) -> dict[str, str]:
    """Return what an audience must not be given: value -> what it is.

    With `servers`, those are what is told of, and of all others even the address is too much.
    """
    allowed: set[str] = set()
    forbidden: dict[str, str] = {}
    for entity in _entities(view):
        in_scope = servers is None or not isinstance(entity, Server) or entity in servers
        for what, value, seen_by in _values(view, entity):
            if in_scope and audience in seen_by:
                allowed.update(_texts(value))
            else:
                forbidden.update(dict.fromkeys(_texts(value), what))
    return {text: what for text, what in forbidden.items() if text not in allowed}


def leaks(data: bytes, forbidden: dict[str, str]) -> list[str]:
    """Return what of the forbidden is in the data, in whatever wrapping."""
    layers = b"\n".join(_layers(data, _DEEPEST))
    return sorted({what for text, what in forbidden.items() if text.encode() in layers})


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
    if b"\\" in data:
        yield _ESCAPED.sub(lambda match: match[0][-1:] if match[0] == b"\\/" else _unescaped(match[0]), data)
        yield data.replace(b"\\n", b"\n")
    if depth == 0:
        return
    for inner in _unwrapped(data):
        yield from _layers(inner, depth - 1)


def _unwrapped(data: bytes) -> Iterable[bytes]:
    try:
        yield zlib.decompressobj().decompress(data, _MOST_UNPACKED)
    except zlib.error:
        pass
    for match in _HEX.finditer(data):
        yield bytes.fromhex(match[0].decode())
    for match in _BASE64.finditer(data):
        text = match[0].rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
        try:
            yield base64.b64decode(text + b"=" * (-len(text) % 4))
        except binascii.Error:
            continue


def _unescaped(escape: bytes) -> bytes:
    return chr(int(escape[2:], 16)).encode("utf-8", "replace")
