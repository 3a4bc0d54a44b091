"""Heads of HTTP messages: what they are taken for, what goes on, and what is refused."""

import pytest

from headrace.base.errors import RemoteProtocolError
from headrace.codec.http_head import (
    MAX_HEAD,
    RequestTarget,
    head_end,
    parse_request,
    parse_response,
    parse_target,
)

CONNECT = b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\nProxy-Connection: keep-alive\r\n\r\n"
GET = (
    b"GET http://example.org/a%20b?c=d HTTP/1.1\r\nHost: other\r\nProxy-Connection: keep-alive\r\n"
    b"Connection: close, X-Private\r\nX-Private: 1\r\nAccept: */* \r\n\r\n"
)


def request(lines: bytes, start: bytes = b"POST http://a/ HTTP/1.1") -> bytes:
    """Return a head with these lines."""
    return start + b"\r\n" + lines + b"\r\n"


def test_connect() -> None:
    head = parse_request(CONNECT)
    assert head.method == b"CONNECT"
    assert head.target == RequestTarget("connect", "example.org", 443, b"")
    assert head.version == "1.1"


def test_absolute_form() -> None:
    head = parse_request(GET)
    assert head.target == RequestTarget("absolute", "example.org", 80, b"/a%20b?c=d", b"example.org")
    assert head.onward() == b"GET /a%20b?c=d HTTP/1.1\r\nHost: example.org\r\nAccept: */* \r\n\r\n"


def test_what_the_connection_is_for_stays_here() -> None:
    kept = b"Accept: */*\r\nX-Case-Of-Names: kept\r\nEmpty: \r\n"
    head = parse_request(
        request(
            b"Keep-Alive: 5\r\nTE: trailers\r\nTrailer: t\r\nUpgrade: h2c\r\nProxy-Authenticate: x\r\n"
            b"Proxy-Authorization: Basic eDp5\r\nConnection: Upgrade\r\n" + kept
        )
    )
    assert head.onward() == b"POST / HTTP/1.1\r\nHost: a\r\n" + kept + b"\r\n"
    assert head.fields.authorization == b"Basic eDp5"


def test_a_body_stays_framed() -> None:
    length = parse_request(
        request(b"Content-Length: 3\r\nConnection: content-length, host\r\n", b"POST http://a:81/ HTTP/1.1")
    )
    assert length.fields.length == 3
    assert length.onward() == b"POST / HTTP/1.1\r\nHost: a:81\r\nContent-Length: 3\r\n\r\n"
    chunked = parse_request(request(b"Transfer-Encoding: Chunked\r\n"))
    assert chunked.fields.chunked
    assert chunked.onward() == b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("start", "lines", "persistent"),
    [
        (b"HTTP/1.1", b"", True),
        (b"HTTP/1.1", b"Connection: x, Close\r\n", False),
        (b"HTTP/1.1", b"Proxy-Connection: close\r\n", False),
        (b"HTTP/1.0", b"", False),
        (b"HTTP/1.0", b"Proxy-Connection: Keep-Alive\r\n", True),
    ],
)
def test_who_keeps_the_connection(start: bytes, lines: bytes, persistent: bool) -> None:
    assert parse_request(request(lines, b"GET http://a/ " + start)).persistent is persistent
    assert parse_response(request(lines, start + b" 200 OK")).persistent is persistent


@pytest.mark.parametrize("data", [CONNECT, GET])
def test_where_a_head_ends(data: bytes) -> None:
    assert not any(head_end(data[:cut]) for cut in range(len(data)))
    assert head_end(data + b"\x16\x03\x01 payload\r\n\r\n") == len(data)


def test_the_largest_head() -> None:
    head = b"GET / HTTP/1.1\r\nX: "
    largest = head + b"x" * (MAX_HEAD - len(head) - 4) + b"\r\n\r\n"
    assert head_end(largest) == MAX_HEAD
    assert head_end(largest[:-1]) == 0
    for larger in (largest[:-4] + b"x\r\n\r\n", largest[:-4] + b"xxxx"):
        with pytest.raises(RemoteProtocolError, match="above 65536 bytes"):
            head_end(larger)


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        (b"CONNECT", b"[2001:db8::1]:443", RequestTarget("connect", "2001:db8::1", 443, b"")),
        (
            b"GET",
            b"http://[2001:db8::1]/",
            RequestTarget("absolute", "2001:db8::1", 80, b"/", b"[2001:db8::1]"),
        ),
        (b"GET", b"HTTP://user:x@a:8080?q", RequestTarget("absolute", "a", 8080, b"/?q", b"a:8080")),
        (b"GET", b"http://a/x#fragment", RequestTarget("absolute", "a", 80, b"/x", b"a")),
        (b"OPTIONS", b"http://a", RequestTarget("absolute", "a", 80, b"*", b"a")),
        (b"GET", b"/tunneled/http%3A%2F%2Fa", RequestTarget("origin", "", 0, b"/tunneled/http%3A%2F%2Fa")),
        (b"OPTIONS", b"*", RequestTarget("origin", "", 0, b"*")),
    ],
)
def test_targets(method: bytes, target: bytes, expected: RequestTarget) -> None:
    assert parse_target(method, target) == expected


@pytest.mark.parametrize(
    ("method", "target"),
    [
        (b"CONNECT", b"example.org"),
        (b"CONNECT", b"example.org:"),
        (b"CONNECT", b"example.org:0"),
        (b"CONNECT", b"example.org:65536"),
        (b"CONNECT", b"example.org:+80"),
        (b"CONNECT", b"example.org:\xb2"),
        (b"CONNECT", b":443"),
        (b"CONNECT", b"2001:db8::1:443"),
        (b"CONNECT", b"[2001:db8::1"),
        (b"CONNECT", b"[2001:db8::1]443"),
        (b"CONNECT", b"http://example.org:443"),
        (b"GET", b"https://example.org/"),
        (b"GET", b"ftp://example.org/"),
        (b"GET", b"example.org"),
        (b"GET", b"http:///path"),
        (b"GET", b"http://[a/"),
        (b"GET", b"http://a@b@/"),
    ],
)
def test_bad_targets(method: bytes, target: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="HTTP target"):
        parse_target(method, target)


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/0.9\r\n\r\n",
        b"GET / HTTP/1.2\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\n",
        b"GET /a b HTTP/1.1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nspace : before it\r\n\r\n",
        b"GET / HTTP/1.1\r\n: no name\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    ],
)
def test_garbage(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="HTTP head"):
        parse_request(data)


def test_responses() -> None:
    head = parse_response(
        b"HTTP/1.0 404 Not h\xe9re\r\nConnection: X-One , x-two\r\nX-One: 1\r\nX-Two: 2\r\n"
        b"Content-Length: 3\r\nProxy-Authenticate: Basic\r\nServer: s\r\n\r\n"
    )
    assert (head.status, head.reason, head.version) == (404, b"Not h\xe9re", "1.0")
    assert head.fields.framing == b"Content-Length: 3\r\n"
    assert head.onward(b"Connection: close\r\n") == (
        b"HTTP/1.1 404 Not h\xe9re\r\nServer: s\r\nConnection: close\r\n\r\n"
    )


def test_a_response_is_passed_on_with_one_framing_only() -> None:
    both = parse_response(b"HTTP/1.1 200\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert both.fields.framing == b"Transfer-Encoding: chunked\r\n"
    assert both.onward(b"") == b"HTTP/1.1 200 \r\n\r\n"
    assert not both.persistent


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/2 200 OK\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
    ],
)
def test_bad_responses(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="HTTP head"):
        parse_response(data)
