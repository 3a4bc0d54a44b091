"""HTTP heads: any bytes parse, want more or raise RemoteProtocolError; a head never keeps payload."""

from headrace.base.errors import RemoteProtocolError
from headrace.codec.http_head import MAX_HEAD, parse_head


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
