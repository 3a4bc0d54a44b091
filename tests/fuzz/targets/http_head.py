"""HTTP heads: any bytes parse, want more or raise RemoteProtocolError; a head never keeps payload."""

from headrace.base.errors import RemoteProtocolError
from headrace.codec.http_head import MAX_HEAD, parse_head

SEEDS = [
    b"GET http://a.example:81/b?c HTTP/1.1\r\nHost: a\r\nProxy-Connection: x\r\nConnection: y\r\n\r\n",
    b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: a\r\n\r\n\x16\x03\x01",
    b"POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
]


def fuzz(data: bytes) -> None:
    """`data` is the start of a connection to the local HTTP proxy."""
    try:
        head = parse_head(data)
    except RemoteProtocolError:
        return
    if head is None:
        assert len(data) <= MAX_HEAD
        return
    assert data.endswith(head.leftover)
    assert not any(name == b"proxy-connection" for name, _ in head.origin_headers())
