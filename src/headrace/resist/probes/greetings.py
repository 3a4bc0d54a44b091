"""First messages of other protocols, as their real clients send them (P2)."""

import ssl
from collections.abc import Callable, Mapping
from typing import Final

from headrace.base.rng import Rng

__all__ = ["GREETINGS"]

_NAMES: Final = ("www.example.com", "mail.example.net", "cdn.example.org")
#: The intermediate form's first bytes, and the constructor of the request that begins a key exchange.
_MTPROTO_START: Final = bytes.fromhex("eeeeeeee")
_REQ_PQ_MULTI: Final = bytes.fromhex("f18e7ebe")


def _get(rng: Rng) -> bytes:
    host = rng.choice(_NAMES)
    return f"GET / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n".encode()


def _post(rng: Rng) -> bytes:
    body = rng.bytes(rng.between(1, 2000))
    head = f"POST /upload HTTP/1.1\r\nHost: {rng.choice(_NAMES)}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _hello(rng: Rng, newest: ssl.TLSVersion, name: str) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = newest
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(incoming, outgoing, server_hostname=name)
    try:
        session.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def _tls(rng: Rng) -> bytes:
    return _hello(rng, ssl.TLSVersion.TLSv1_3, rng.choice(_NAMES))


def _tor(rng: Rng) -> bytes:
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    label = "".join(rng.choice(letters) for _ in range(rng.between(8, 20)))
    return _hello(rng, ssl.TLSVersion.TLSv1_2, f"www.{label}.com")


def _ssh(rng: Rng) -> bytes:
    return rng.choice((b"SSH-2.0-OpenSSH_9.6\r\n", b"SSH-2.0-libssh2_1.11.0\r\n", b"SSH-2.0-Go\r\n"))


def _smtp(rng: Rng) -> bytes:
    return f"EHLO {rng.choice(_NAMES)}\r\n".encode()


def _socks(rng: Rng) -> bytes:
    return rng.choice((b"\x05\x01\x00", b"\x05\x02\x00\x02"))


def _mtproto(rng: Rng) -> bytes:
    message = bytes(8) + rng.bytes(8) + (20).to_bytes(4, "little") + _REQ_PQ_MULTI + rng.bytes(16)
    return _MTPROTO_START + len(message).to_bytes(4, "little") + message


def _random_start(rng: Rng) -> bytes:
    return rng.bytes(rng.between(149, 8192))


def _empty_line(rng: Rng) -> bytes:
    return b"\r\n"


def _one_byte(rng: Rng) -> bytes:
    return rng.bytes(1)


def _nothing(rng: Rng) -> bytes:
    return b""


#: By name; `-like` is what random-looking protocols begin with.
GREETINGS: Final[Mapping[str, Callable[[Rng], bytes]]] = {
    "HTTP GET": _get,
    "HTTP POST": _post,
    "TLS 1.3": _tls,
    "TLS as Tor's": _tor,
    "SSH": _ssh,
    "SMTP": _smtp,
    "SOCKS5": _socks,
    "MTProto": _mtproto,
    "obfs-like": _random_start,
    "an empty line": _empty_line,
    "one byte": _one_byte,
    "nothing": _nothing,
}
