"""Attack: a request, or an answer, that two readers take for different ones.

What the proxy takes for the end of a message is what the next in line must take for it. Whoever gets a second
request past that is heard with somebody else's name, or has somebody else hear an answer of his.
"""

import pytest
from tests.http_rig import GET, OK, HttpRig
from tests.memory_network import settle

pytestmark = pytest.mark.virtual_time

HIDDEN = b"GET http://a.example/hidden HTTP/1.1\r\n\r\n"


def post(lines: bytes, body: bytes = b"0\r\n\r\n", version: bytes = b"1.1") -> bytes:
    return b"POST http://a.example/ HTTP/" + version + b"\r\n" + lines + b"\r\n\r\n" + body


HEADS = {
    "length and chunks": post(b"Content-Length: 5\r\nTransfer-Encoding: chunked"),
    "chunks and length": post(b"Transfer-Encoding: chunked\r\nContent-Length: 5"),
    "two lengths": post(b"Content-Length: 5\r\nContent-Length: 6"),
    "the same length twice": post(b"Content-Length: 5\r\nContent-Length: 5"),
    "a list of lengths": post(b"Content-Length: 5, 5"),
    "a signed length": post(b"Content-Length: +5"),
    "a negative length": post(b"Content-Length: -5"),
    "a hexadecimal length": post(b"Content-Length: 0x5"),
    "a length with a space": post(b"Content-Length: 5 0"),
    "a length beyond all": post(b"Content-Length: 99999999999999999999999"),
    "chunked twice": post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
    "chunked and something": post(b"Transfer-Encoding: chunked, identity"),
    "something and chunked": post(b"Transfer-Encoding: gzip, chunked"),
    "almost chunked": post(b"Transfer-Encoding: xchunked"),
    "chunked behind a tab": post(b"Transfer-Encoding:\x0bchunked"),
    "a quoted coding": post(b'Transfer-Encoding: "chunked"'),
    "old and chunked": post(b"Transfer-Encoding: chunked", version=b"1.0"),
    "a space before the colon": post(b"Transfer-Encoding : chunked"),
    "a line folded": post(b"X: a\r\n Transfer-Encoding: chunked"),
    "a name folded": post(b" Transfer-Encoding: chunked"),
    "a bare line feed": post(b"X: a\nTransfer-Encoding: chunked"),
    "a bare carriage return": post(b"X: a\rTransfer-Encoding: chunked"),
    "a null": post(b"X: a\0b"),
    "a null in a name": post(b"X\0Y: a"),
    "a control character": post(b"X: a\x01"),
    "two hosts": post(b"Host: a.example\r\nHost: b.example"),
    "a line feed in the target": b"GET http://a.example/\nX: y HTTP/1.1\r\n\r\n",
    "a space in the target": b"GET http://a.example/ HTTP/1.1 HTTP/1.1\r\n\r\n",
    "a second authority": b"GET http://a.example@b.example@c.example/ HTTP/1.1\r\n\r\n",
    "no version": b"GET http://a.example/\r\n\r\n",
    "a version to come": b"GET http://a.example/ HTTP/2.0\r\n\r\n",
}
BODIES = {
    "a signed size": b"+5\r\nabcde\r\n0\r\n\r\n",
    "a size with a prefix": b"0x5\r\nabcde\r\n0\r\n\r\n",
    "no size": b"\r\nabcde\r\n0\r\n\r\n",
    "a size of bare line feeds": b"5\nabcde\n0\n\n",
    "a bare line feed in an extension": b"5;a\nb\r\nabcde\r\n0\r\n\r\n",
    "a size beyond all": b"FFFFFFFFFFFFFFFF1\r\nabcde\r\n0\r\n\r\n",
    "more than it said": b"5\r\nabcdef\r\n0\r\n\r\n",
    "less than it said": b"5\r\nabc\r\n0\r\n\r\n",
    "a trailer folded": b"0\r\nX: y\r\n z\r\n\r\n",
    "a trailer that is none": b"0\r\nGET / HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS.keys())
@pytest.mark.parametrize("later", [False, True], ids=["first", "later"])
async def test_doubtful_requests_are_refused_and_nothing_goes_on(head: bytes, later: bool) -> None:
    rig = HttpRig()
    tcp = rig.application()
    if later:
        tcp.arrive(GET)
        (await rig.origin()).send(OK)
        await settle()
        tcp.written.clear()
    tcp.arrive(head + HIDDEN)
    await settle()
    assert tcp.written.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert tcp.written.count(b"HTTP/1.1") == 1
    assert tcp.log == ["fin"]
    assert len(rig.tunnel.destinations) == later


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("late", [False, True], ids=["with the head", "later"])
async def test_doubtful_chunks_end_both_connections(body: bytes, late: bool) -> None:
    rig = HttpRig()
    tcp = rig.application()
    head = post(b"Transfer-Encoding: chunked", b"")
    tcp.arrive(head if late else head + body + HIDDEN)
    far = await rig.origin()
    if late:
        tcp.arrive(body + HIDDEN)
        await settle()
    assert far.events == [("closed", None)]
    assert b"hidden" not in far.received
    assert tcp.written.count(b"HTTP/1.1 400 ") == 1
    assert len(rig.tunnel.destinations) == 1


@pytest.mark.parametrize(
    ("lines", "body"),
    [(b"Content-Length: %d" % len(HIDDEN), HIDDEN), (b"Transfer-Encoding: chunked", b"0\r\n\r\n")],
)
async def test_what_is_framed_well_is_taken_for_what_it_is(lines: bytes, body: bytes) -> None:
    rig = HttpRig()
    tcp, far = await rig.asked(post(lines, body) + GET)
    assert far.received.endswith(b"\r\n\r\n" + body)
    far.send(OK)
    await settle()
    assert bytes(tcp.written) == OK
    assert (
        far.received.count(b"GET / HTTP/1.1\r\n") == 1
    )  # the one behind, on the connection that is free now


@pytest.mark.parametrize("lines", [b"Connection: content-length", b"Connection: host, Content-Length"])
async def test_framing_cannot_be_declared_the_connections_own(lines: bytes) -> None:
    rig = HttpRig()
    _, far = await rig.asked(post(lines + b"\r\nContent-Length: %d" % len(HIDDEN), HIDDEN))
    assert b"Content-Length: %d\r\n" % len(HIDDEN) in far.received
    assert b"Host: a.example\r\n" in far.received


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 40\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\rContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX: a\0\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 O\0K\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 099 Wait\r\n\r\n",
    ],
)
async def test_doubtful_answers_are_not_passed_on(answer: bytes) -> None:
    rig = HttpRig()
    tcp, far = await rig.asked()
    far.send(answer)
    await settle()
    assert tcp.written.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert tcp.written.count(b"HTTP/1.1") == 1
    assert far.events == [("closed", None)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
async def test_bare_line_feeds_of_old_programs_do_not_go_on(end: bytes) -> None:
    rig = HttpRig()
    tcp, far = await rig.asked()
    far.send(b"HTTP/1.1 200 OK\nX: a\nContent-Length: 4" + end + b"\nok\n\n")
    await settle()
    assert bytes(tcp.written) == b"HTTP/1.1 200 OK\r\nX: a\r\nContent-Length: 4\r\n\r\nok\n\n"
    assert far.events == []


async def test_an_answer_framed_both_ways_is_passed_on_framed_one_way_and_its_origin_is_not_asked_again() -> (
    None
):
    rig = HttpRig()
    tcp, far = await rig.asked()
    far.send(b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    await settle()
    assert bytes(tcp.written) == b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    assert far.events == [("closed", None)]


async def test_what_comes_behind_an_answer_is_nobodys() -> None:
    rig = HttpRig()
    tcp, far = await rig.asked()
    other = rig.application()
    far.send(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nlie")
    await settle()
    for application in (tcp, other):
        application.arrive(GET)
    await settle()
    assert bytes(tcp.written) == OK
    assert other.written == b""
    assert len(rig.tunnel.destinations) == 3
