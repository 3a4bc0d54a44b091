"""Requests told from what is none, and whole ones from those that go on."""

import pytest

from headrace.base.rng import SeededRng
from headrace.codec.request_watch import MAX_BEHIND, MAX_HEAD, RequestWatch, Sight

GET = b"GET /a HTTP/1.1\r\nHost: a.example\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: a.example\r\nContent-Length: 50\r\n\r\n"
CHUNKED = b"POST /a HTTP/1.1\r\ntransfer-encoding:  Chunked\r\n\r\n"
NOISE = SeededRng(5).bytes(MAX_BEHIND)


def sight(*pieces: bytes) -> Sight:
    """Return what a watch makes of it in the end."""
    watch = RequestWatch()
    return [watch.receive(piece) for piece in pieces][-1]


@pytest.mark.parametrize(
    "data",
    [
        GET,
        GET + GET[:12],
        GET + b"\r\n" + GET,
        b"GET / HTTP/1.0\n\n",
        b"OPTIONS * HTTP/1.1\r\n\r\n",
        b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n",
        b"BREW /pot HTTP/1.1\r\nHost:\r\n\r\n",
        POST + bytes(50),
        POST + bytes(50) + GET,
        POST.replace(b"50", b"0"),
        CHUNKED + b"5\r\nhello\r\n0\r\n\r\n",
        POST.replace(b"Host", b"Expect"),
        POST.replace(b"50", b"500000000") + NOISE,
        CHUNKED + NOISE,
        GET + NOISE,
    ],
)
def test_a_request_that_can_be_answered_is_whole(data: bytes) -> None:
    assert sight(data) is Sight.WHOLE


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 5\r\nContent-Length: 5\r\n",
        b"Content-Length: -5\r\n",
        b"Content-Length: " + b"9" * 30 + b"\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
    ],
)
def test_no_body_is_waited_for_that_nobody_can_find_the_end_of(fields: bytes) -> None:
    assert sight(b"POST / HTTP/1.1\r\n" + fields + b"\r\n") is Sight.WHOLE


@pytest.mark.parametrize(
    "data",
    [
        POST,
        POST + bytes(49),
        POST.replace(b"50", b"500000000") + NOISE[:-1],
        CHUNKED,
        CHUNKED + b"5\r\nhello\r\n",
        CHUNKED + NOISE[:1000],
        GET + NOISE[:900],
        GET + GET[:3],
        POST + bytes(50) + NOISE[:900],
    ],
)
def test_a_request_with_more_to_come_is_unfinished(data: bytes) -> None:
    assert sight(data) is Sight.UNFINISHED


@pytest.mark.parametrize("data", [b"", b"G", GET[:5], GET[:20], GET[:-1], b"GET /" + b"a" * (MAX_HEAD - 6)])
def test_what_may_become_a_head_is_unclear(data: bytes) -> None:
    assert sight(data) is Sight.UNCLEAR


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"EHLO a.example\r\n",
        b"GET /\r\n",
        b"GET / HTTP/1.1 \r\n",
        b"GET /\x80\0 HTTP/1.1\r\n",
        b"GET  / HTTP/1.1\r\n\r\n",
        b" GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nno field\r\n\r\n",
        b"GET / HTTP/1.1\r\nfolded: a\r\n b\r\n\r\n",
        b"GET / HTTP/1.1\r\nname : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nname: \0\r\n\r\n",
        b"G" * 33 + b" / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nlong: " + bytes(MAX_HEAD),
        b"GET / HTTP/1.1\r\nlong: " + b"a" * MAX_HEAD + b"\r\n\r\n",
        NOISE,
    ],
)
def test_anything_else_is_no_request(data: bytes) -> None:
    assert sight(data) is Sight.NO_REQUEST


@pytest.mark.parametrize("data", [GET, POST + bytes(50), CHUNKED + b"1\r\na\r\n0\r\n\r\n"])
def test_byte_by_byte_it_is_whole_with_the_last_one_only(data: bytes) -> None:
    watch = RequestWatch()
    sights = [watch.receive(bytes((byte,))) for byte in data]
    assert sights[-1] is Sight.WHOLE
    assert set(sights[:-1]) <= {Sight.UNCLEAR, Sight.UNFINISHED}


def test_what_was_found_stays() -> None:
    assert sight(GET, NOISE[:100]) is Sight.WHOLE
    assert sight(NOISE, GET) is Sight.NO_REQUEST


def test_what_came_is_kept_unless_it_is_no_request() -> None:
    watch = RequestWatch()
    for piece in (POST[:20], POST[20:], NOISE[:50], GET):
        watch.receive(piece)
    assert watch.said == POST + NOISE[:50] + GET
    watch = RequestWatch()
    for piece in (b"GET", NOISE, NOISE):
        watch.receive(piece)
    assert watch.said == b""


def test_random_bytes_behind_a_request_are_no_further_one() -> None:
    rng = SeededRng(6)
    assert {sight(GET + rng.bytes(40)) for _ in range(2000)} == {Sight.UNFINISHED}
