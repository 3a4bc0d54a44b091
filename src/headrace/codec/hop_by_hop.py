"""What of an HTTP message's head goes on to the next hop (RFC 9110 §7.6.1)."""

from collections.abc import Iterable
from typing import Final

from headrace.codec.http_fields import HOP_BY_HOP

__all__ = ["end_to_end"]

_CONNECTION: Final = frozenset((b"connection", b"proxy-connection"))
#: What frames a message, or names its receiver, is not the connection's to take away.
_KEPT: Final = frozenset((b"host", b"content-length"))


def end_to_end(fields: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the fields to pass on, names in lower case: none for one hop, or that Connection names."""
    lowered = [(name.lower(), value) for name, value in fields]
    named = {
        token.strip().lower() for name, value in lowered if name in _CONNECTION for token in value.split(b",")
    }
    dropped = HOP_BY_HOP | named - _KEPT
    return [field for field in lowered if field[0] not in dropped]
