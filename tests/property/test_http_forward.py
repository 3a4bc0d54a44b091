"""Plain HTTP: however the bytes are cut, on either side, the same comes out on the other."""

from dataclasses import dataclass
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from tests.http_rig import HttpRig
from tests.memory_network import settle

from headrace.testing.virtual_time import run

PAYLOADS = st.binary(max_size=40)


@dataclass(frozen=True)
class Exchange:
    """One request and its answer: as they are sent, and as they should arrive."""

    asked: bytes
    heard: bytes
    answered: bytes
    passed: bytes


def chunked(payload: bytes, size: int) -> bytes:
    pieces = [payload[start : start + size] for start in range(0, len(payload), size)]
    return b"".join(b"%X;x=y\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\nT: t\r\n\r\n"


@st.composite
def exchanges(draw: st.DrawFn) -> Exchange:
    """Draw requests with and without bodies, and answers that leave the connection open."""
    method, up, down = draw(st.sampled_from([b"GET", b"HEAD", b"PUT"])), draw(PAYLOADS), draw(PAYLOADS)
    size = draw(st.integers(1, 20))
    framing, body = b"", b""
    if method == b"PUT":
        framing, body = draw(
            st.sampled_from(
                [
                    (b"Content-Length: %d\r\n" % len(up), up),
                    (b"Transfer-Encoding: chunked\r\n", chunked(up, size)),
                ]
            )
        )
    asked = b"%b http://a.example/p?q HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\nA: b\r\n%b\r\n"
    heard = b"%b /p?q HTTP/1.1\r\nHost: a.example\r\nA: b\r\n%b\r\n"
    fields, content = draw(
        st.sampled_from(
            [
                (b"Content-Length: %d\r\n" % len(down), down),
                (b"Transfer-Encoding: chunked\r\n", chunked(down, size)),
            ]
        )
    )
    interim = draw(st.sampled_from([b"", b"HTTP/1.1 103 Early Hints\r\nLink: y\r\n\r\n"]))
    content = b"" if method == b"HEAD" else content
    answered = b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nC: d\r\n%b\r\n" % fields
    passed = b"HTTP/1.1 200 OK\r\nC: d\r\n%b\r\n" % fields
    return Exchange(
        asked % (method, framing) + body,
        heard % (method, framing) + body,
        interim + answered + content,
        interim + passed + content,
    )


def cut(data: bytes, places: list[int]) -> list[bytes]:
    bounds = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(bounds)]


CUTS = st.lists(st.integers(0, 10_000), max_size=30)


@given(st.lists(exchanges(), min_size=1, max_size=4), CUTS, CUTS)
def test_fragments_make_no_difference(talk: list[Exchange], up: list[int], down: list[int]) -> None:
    run(_talk(talk, up, down))


async def _talk(talk: list[Exchange], up: list[int], down: list[int]) -> None:
    rig = HttpRig()
    tcp = rig.application()
    for piece in cut(b"".join(exchange.asked for exchange in talk), up):
        tcp.arrive(piece)
    expected, ports, far = b"", 0, None
    for exchange in talk:
        await settle()
        if len(rig.tunnel.channels) > ports:
            far, ports = await rig.origin(), len(rig.tunnel.channels)
        assert far is not None
        assert bytes(far.received) == exchange.heard
        far.received.clear()
        for piece in cut(exchange.answered, down):
            far.send(piece)
            await settle()
        expected += exchange.passed
        assert bytes(tcp.written) == expected
    assert not tcp.lost
    tcp.abort()
    await settle()
