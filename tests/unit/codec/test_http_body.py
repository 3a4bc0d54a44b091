"""Where bodies end."""

import pytest

from headrace.base.errors import RemoteProtocolError
from headrace.codec.http_body import (
    Body,
    ByLength,
    Chunked,
    UntilEnd,
    body_of_request,
    body_of_response,
)
from headrace.codec.http_head import MAX_HEAD, parse_request, parse_response

CHUNKS = b'3\r\nabc\r\n00A;name="v;w"\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n'


def feed(body: Body, data: bytes, step: int) -> tuple[bytes, bytes]:
    """Feed a body piece by piece; return what belonged to it, and what did not."""
    taken = b""
    for start in range(0, len(data), step):
        piece = data[start : start + step]
        part = bytes(body.take(memoryview(piece)))
        taken += part
        if body.done:
            return taken, piece[len(part) :] + data[start + step :]
        assert part == piece
    return taken, b""


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_a_length(step: int) -> None:
    body = ByLength(10)
    assert feed(body, b"0123456789next", step) == (b"0123456789", b"next")
    assert body.done


def test_nothing() -> None:
    assert ByLength(0).done
    assert bytes(ByLength(0).take(memoryview(b"next"))) == b""


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_chunks(step: int) -> None:
    body = Chunked(decode=True)
    assert feed(body, CHUNKS + b"next", step) == (CHUNKS, b"next")
    assert body.done
    assert body.payload is not None
    assert b"".join(body.payload) == b"abc0123456789"


def test_chunks_are_not_opened_for_nothing() -> None:
    body = Chunked()
    feed(body, CHUNKS, 1000)
    assert body.payload is None


def test_until_the_end() -> None:
    body = UntilEnd()
    assert feed(body, b"whatever", 3) == (b"whatever", b"")
    assert not body.done


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"x\r\n",
        b"-1\r\n",
        b"+1\r\n",
        b"0x1\r\n",
        b" 1\r\n",
        b"1 1\r\n",
        b"1\n",
        b"1;a\rb\r\n",
        b"1;a\0\r\n",
        b"1000000000000000\r\n",
        b"1;" + b"x" * 5000,
        b"3\r\nabcd\r\n",
        b"3\r\nabc\n",
        b"3\r\nabc\rx",
        b"0\r\nbad trailer\r\n\r\n",
        b"0\r\n folded: x\r\n\r\n",
        b"0\r\nT: x\n\r\n",
        b"0\r\nT: " + b"x" * MAX_HEAD,
        b"0\r\n" + b"T: xxxx\r\n" * (MAX_HEAD // 8),
    ],
)
@pytest.mark.parametrize("step", [1, 100_000])
def test_what_is_no_chunk(data: bytes, step: int) -> None:
    with pytest.raises(RemoteProtocolError, match="HTTP"):
        feed(Chunked(), data, step)


@pytest.mark.parametrize(
    ("lines", "kind", "done"),
    [
        (b"", ByLength, True),
        (b"Content-Length: 0\r\n", ByLength, True),
        (b"Content-Length: 3\r\n", ByLength, False),
        (b"Transfer-Encoding: chunked\r\n", Chunked, False),
    ],
)
def test_bodies_of_requests(lines: bytes, kind: type[Body], done: bool) -> None:
    body = body_of_request(parse_request(b"POST http://a/ HTTP/1.1\r\n" + lines + b"\r\n"))
    assert type(body) is kind
    assert body.done is done


@pytest.mark.parametrize(
    ("method", "status", "lines", "kind", "done"),
    [
        (b"GET", 200, b"", UntilEnd, False),
        (b"GET", 200, b"Content-Length: 3\r\n", ByLength, False),
        (b"GET", 200, b"Content-Length: 0\r\n", ByLength, True),
        (b"GET", 200, b"Transfer-Encoding: chunked\r\n", Chunked, False),
        (b"GET", 200, b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", Chunked, False),
        (b"HEAD", 200, b"Content-Length: 3\r\n", ByLength, True),
        (b"HEAD", 200, b"Transfer-Encoding: chunked\r\n", ByLength, True),
        (b"GET", 204, b"", ByLength, True),
        (b"GET", 304, b"Content-Length: 3\r\n", ByLength, True),
        (b"GET", 103, b"", ByLength, True),
    ],
)
def test_bodies_of_responses(method: bytes, status: int, lines: bytes, kind: type[Body], done: bool) -> None:
    head = parse_response(b"HTTP/1.1 %d x\r\n%b\r\n" % (status, lines))
    body = body_of_response(head, method, decode=False)
    assert type(body) is kind
    assert body.done is done
