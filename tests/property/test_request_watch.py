"""Requests are recognised however a network cuts them, and nothing that is none becomes one."""

import h11
from hypothesis import given
from hypothesis import strategies as st

from headrace.codec.request_watch import RequestWatch, Sight

TOKENS = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", min_size=1, max_size=20)
VALUES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=40)
CUTS = st.lists(st.integers(1, 400), max_size=20)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A request as a library of somebody else's writes it."""
    body = draw(st.binary(max_size=300))
    fields = [
        ("Host", "a.example"),
        *draw(st.lists(st.tuples(TOKENS.map("X-{}".format), VALUES), max_size=5)),
    ]
    framing = draw(st.sampled_from(("none", "length", "chunks")))
    if framing == "length":
        fields.append(("Content-Length", str(len(body))))
    elif framing == "chunks":
        fields.append(("Transfer-Encoding", "chunked"))
    fields = draw(st.permutations(fields))
    program = h11.Connection(h11.CLIENT)
    parts = [program.send(h11.Request(method=draw(TOKENS), target="/" + draw(TOKENS), headers=fields))]
    if framing != "none":
        parts.append(program.send(h11.Data(data=body)))
    return b"".join(part for part in (*parts, program.send(h11.EndOfMessage())) if part)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    parts = []
    for size in cuts:
        parts.append(data[:size])
        data = data[size:]
    return [part for part in (*parts, data) if part]


@given(requests(), CUTS)
def test_any_request_is_whole_with_its_last_byte_and_not_before(data: bytes, cuts: list[int]) -> None:
    watch = RequestWatch()
    sights = [watch.receive(piece) for piece in pieces(data, cuts)]
    assert sights[-1] is Sight.WHOLE
    assert not {Sight.WHOLE, Sight.NO_REQUEST} & set(sights[:-1])
    assert watch.said == data


@given(st.binary(max_size=500) | requests(), CUTS, st.data())
def test_where_it_is_cut_makes_no_request_of_what_is_none(
    data: bytes, cuts: list[int], draw: st.DataObject
) -> None:
    at = draw.draw(st.integers(0, len(data)))
    data = data[:at] + draw.draw(st.binary(max_size=3)) + data[at:]
    whole = RequestWatch().receive(data)
    watch = RequestWatch()
    sights = [watch.receive(piece) for piece in pieces(data, cuts)] or [Sight.UNCLEAR]
    assert (sights[-1] is Sight.NO_REQUEST) == (whole is Sight.NO_REQUEST)
    assert (sights[-1] is Sight.UNCLEAR) == (whole is Sight.UNCLEAR)
