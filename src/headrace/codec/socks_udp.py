"""The head of a datagram between a SOCKS5 proxy and its client (RFC 1928 §7).

     0        2      3       4            n       n + 2
    ┌────────┬──────┬───────┬────────────┬───────┬──────────
    │  0000  │ FRAG │ ATYP  │  address   │  port │ datagram
    └────────┴──────┴───────┴────────────┴───────┴──────────

On the way out the address is the destination: 4 or 16 bytes, or a length and a name. On the way back it is
the sender. Fragments are not reassembled, which the RFC leaves open: they are no datagrams here.
"""

from dataclasses import dataclass
from typing import Final

from headrace.base.errors import RemoteProtocolError
from headrace.codec.cursor import Cursor
from headrace.codec.socks import parse_name

__all__ = ["SocksDatagram", "encode_sender", "parse_datagram"]

_IPV4, _DOMAIN, _IPV6 = 1, 3, 4
_SIZES: Final = {_IPV4: 4, _IPV6: 16}


@dataclass(frozen=True, slots=True)
class SocksDatagram:
    """`data` is for `host`, an address of 4 or 16 bytes, or a name; and for `port`, which is not 0."""

    host: bytes | str
    port: int
    data: bytes


def parse_datagram(datagram: bytes) -> SocksDatagram:
    """Read what a client sent. Raises RemoteProtocolError if it is not for any destination."""
    cursor = Cursor(datagram)
    if cursor.u16() or cursor.u8():
        raise RemoteProtocolError("a fragment")
    kind = cursor.u8()
    host: bytes | str | None
    if kind == _DOMAIN:
        host = parse_name(cursor.bytes(cursor.u8()))
    elif kind in _SIZES:
        host = cursor.bytes(_SIZES[kind])
    else:
        raise RemoteProtocolError(f"an address of type {kind}")
    port = cursor.u16()
    if host is None or not port:
        raise RemoteProtocolError("a destination that cannot be")
    return SocksDatagram(host, port, bytes(cursor.rest()))


def encode_sender(address: bytes, port: int) -> bytes:
    """Return the head for a datagram that came from an address of 4 or 16 bytes."""
    kind = _IPV4 if len(address) == 4 else _IPV6
    return b"".join((b"\0\0\0", bytes((kind,)), address, port.to_bytes(2, "big")))
