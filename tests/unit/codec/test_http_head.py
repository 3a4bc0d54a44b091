"""First requests to the local HTTP proxy."""

import pytest

from headrace.base.errors import RemoteProtocolError
from headrace.codec.http_head import (
    MAX_HEAD,
    RequestHead,
    RequestTarget,
    parse_head,
    parse_target,
    strip_hop_by_hop,
)

CONNECT = b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\nProxy-Connection: keep-alive\r\n\r\n"
GET = (
    b"GET http://example.org/a%20b?c=d HTTP/1.1\r\nHost: other\r\nProxy-Connection: keep-alive\r\n"
    b"Connection: close, X-Private\r\nX-Private: 1\r\nAccept: */*\r\n\r\n"
)


def parse(data: bytes) -> RequestHead:
    head = parse_head(data)
    assert head is not None
    return head


def test_connect() -> None:
    head = parse(CONNECT)
    assert head.method == "CONNECT"
    assert head.target == RequestTarget("connect", "example.org", 443, "")
    assert head.version == "1.1"
    assert head.leftover == b""


def test_absolute_form() -> None:
    head = parse(GET)
    assert head.target == RequestTarget("absolute", "example.org", 80, "/a%20b?c=d")
    assert head.origin_headers() == [(b"host", b"example.org"), (b"accept", b"*/*")]


def test_a_body_stays_framed() -> None:
    length = parse(
        b"POST http://a:81/ HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: content-length\r\n\r\nabc"
    )
    assert length.leftover == b"abc"
    assert length.origin_headers() == [(b"host", b"a:81"), (b"content-length", b"3")]
    chunked = parse(b"POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert chunked.origin_headers() == [(b"host", b"a"), (b"transfer-encoding", b"chunked")]


def test_a_message_is_framed_one_way_only() -> None:
    both = parse_head(
        b"POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    assert both is not None
    assert both.origin_headers() == [(b"host", b"a"), (b"transfer-encoding", b"chunked")]


@pytest.mark.parametrize("data", [CONNECT, GET])
def test_byte_by_byte_and_trailing_data(data: bytes) -> None:
    for cut in range(len(data)):
        assert parse_head(data[:cut]) is None
    assert parse(data + b"\x16\x03\x01 payload").leftover == b"\x16\x03\x01 payload"


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("CONNECT", b"[2001:db8::1]:443", RequestTarget("connect", "2001:db8::1", 443, "")),
        ("GET", b"http://[2001:db8::1]/", RequestTarget("absolute", "2001:db8::1", 80, "/")),
        ("GET", b"HTTP://user:secret@a:8080?q", RequestTarget("absolute", "a", 8080, "/?q")),
        ("GET", b"http://a/x#fragment", RequestTarget("absolute", "a", 80, "/x")),
        ("GET", b"/tunneled/http%3A%2F%2Fa", RequestTarget("origin", "", 0, "/tunneled/http%3A%2F%2Fa")),
        ("OPTIONS", b"*", RequestTarget("origin", "", 0, "*")),
    ],
)
def test_targets(method: str, target: bytes, expected: RequestTarget) -> None:
    assert parse_target(method, target) == expected


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("CONNECT", b"example.org"),
        ("CONNECT", b"example.org:"),
        ("CONNECT", b"example.org:0"),
        ("CONNECT", b"example.org:65536"),
        ("CONNECT", b"example.org:+80"),
        ("CONNECT", b"example.org:\xb2"),
        ("CONNECT", b":443"),
        ("CONNECT", b"2001:db8::1:443"),
        ("CONNECT", b"[2001:db8::1"),
        ("CONNECT", b"[2001:db8::1]443"),
        ("GET", b"https://example.org/"),
        ("GET", b"ftp://example.org/"),
        ("GET", b"example.org"),
        ("GET", b"http:///path"),
        ("GET", b"http://[a/"),
    ],
)
def test_bad_targets(method: str, target: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="HTTP target"):
        parse_target(method, target)


def test_authority_with_an_ipv6_address() -> None:
    assert parse_target("GET", b"http://[2001:db8::1]:8080/").authority == "[2001:db8::1]:8080"
    assert parse_target("GET", b"http://[2001:db8::1]/").authority == "[2001:db8::1]"


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * MAX_HEAD,
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * MAX_HEAD + b"\r\n\r\n",
    ],
)
def test_garbage(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="HTTP request"):
        parse_head(data)


def test_hop_by_hop_headers_of_a_response() -> None:
    headers = [
        (b"Connection", b"X-One , x-two"),
        (b"Keep-Alive", b"5"),
        (b"X-One", b"1"),
        (b"X-Two", b"2"),
        (b"Upgrade", b"h2c"),
        (b"Trailer", b"t"),
        (b"TE", b"trailers"),
        (b"Content-Type", b"text/plain"),
    ]
    assert strip_hop_by_hop(headers) == [(b"Content-Type", b"text/plain")]
