"""Properties of the codecs: cut anywhere, garbage, and there and back."""

import contextlib
import string
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from headrace.base.errors import RemoteProtocolError
from headrace.codec import bounded_cbor
from headrace.codec.go_time import decode_time, encode_time
from headrace.codec.handshake_response import HandshakeResponse, decode_handshake_response
from headrace.codec.packed_parameter_keys import PARAMETER_KEYS, Conversion
from headrace.codec.packed_parameters import PACKED_PREAMBLE, pack, to_json, unpack
from headrace.codec.socks import Event, Refused, Reply, Request, SocksParser
from headrace.codec.udpgw import Frame, UdpgwDecoder, encode_frame, encode_keepalive

ports = st.integers(0, 0xFFFF)
names = st.text(string.ascii_lowercase + string.digits + "-.", min_size=1, max_size=255)
cuts = st.lists(st.integers(0, 2000), max_size=20)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
)
cbor_values = st.recursive(
    scalars | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.integers(2, 2**64 - 1) | st.text(), inner),
    max_leaves=20,
).filter(lambda value: len(repr(value)) < 5000)


def pieces(data: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(cut, len(data)) for cut in at), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def run_socks(data: bytes, at: list[int]) -> list[Event]:
    """Return the events, with what the parser was not fed any more as part of the leftover."""
    parser = SocksParser()
    events: list[Event] = []
    rest = b""
    for piece in pieces(data, at):
        if parser.finished:
            rest += piece
        else:
            events += parser.receive(piece)
    if events and isinstance(events[-1], Request):
        request = events.pop()
        assert isinstance(request, Request)
        events.append(Request(request.host, request.port, request.version, request.leftover + rest))
    return events


socks5_requests = st.builds(
    lambda methods, name, port, payload: b"".join(
        (
            bytes([5, len(methods)]) + methods,
            b"\x05\x01\x00\x03" + bytes([len(name)]) + name.encode() + port.to_bytes(2, "big"),
            payload,
        )
    ),
    st.binary(max_size=5).map(lambda methods: methods + b"\0"),
    names,
    ports,
    st.binary(max_size=50),
)


@given(socks5_requests | st.binary(max_size=600) | st.binary(max_size=600).map(b"\x04\x01".__add__), cuts)
def test_socks_does_not_depend_on_where_the_stream_is_cut(data: bytes, at: list[int]) -> None:
    whole = run_socks(data, [])
    assert run_socks(data, at) == whole
    assert all(isinstance(event, Reply) for event in whole[:-1])


@given(
    st.binary(min_size=1100, max_size=1200),
    st.sampled_from([b"", b"\x04\x01", b"\x05\x01\x00", b"\x05\x01\x02\x01"]),
)
def test_socks_decides_within_a_kilobyte(data: bytes, start: bytes) -> None:
    assert any(isinstance(event, Request | Refused) for event in run_socks(start + data, []))


frames = st.builds(
    Frame,
    ports,
    st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16),
    ports,
    st.binary(max_size=100),
    st.booleans(),
    st.booleans(),
)


@given(st.lists(frames), cuts)
def test_udpgw_there_and_back(sent: list[Frame], at: list[int]) -> None:
    stream = b"".join(encode_frame(frame) + encode_keepalive() for frame in sent)
    decoder = UdpgwDecoder()
    assert [frame for piece in pieces(stream, at) for frame in decoder.receive(piece)] == sent


@given(st.binary(max_size=300))
def test_udpgw_garbage(data: bytes) -> None:
    with contextlib.suppress(RemoteProtocolError):
        for frame in UdpgwDecoder().receive(data):
            assert encode_frame(frame)[2:] in data or frame.rebind or frame.dns


@given(cbor_values)
def test_cbor_there_and_back(value: object) -> None:
    try:
        decoded = bounded_cbor.decode(bounded_cbor.encode(value))
    except RemoteProtocolError as error:
        assert "too deep" in str(error)
    else:
        assert decoded == value


@given(st.binary(max_size=200))
def test_cbor_garbage(data: bytes) -> None:
    with contextlib.suppress(RemoteProtocolError):
        bounded_cbor.decode(data)


hex_bytes = st.binary(max_size=40)
VALUES: dict[Conversion, st.SearchStrategy[object]] = {
    "none": st.text(max_size=50) | st.lists(st.text(max_size=5), max_size=5),
    "int_string": st.integers(-(2**63), 2**63 - 1).map(str),
    "hex_lower": hex_bytes.map(bytes.hex),
    "hex_upper": hex_bytes.map(lambda data: data.hex().upper()),
    "raw_json": st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers(0, 2**53), max_size=3),
    "json_maps": st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3), max_size=3),
    "authorizations": st.just([]),
}
packable = {name: VALUES[how] for name, how in PARAMETER_KEYS.values() if how in VALUES}
parameter_sets = st.sets(st.sampled_from(sorted(packable)), max_size=12).flatmap(
    lambda chosen: st.fixed_dictionaries({name: packable[name] for name in chosen})
)


@given(parameter_sets)
def test_parameters_there_and_back(parameters: dict[str, object]) -> None:
    assert unpack(pack(parameters)) == parameters
    assert unpack(to_json(parameters)) == parameters


@given(st.binary(max_size=200), st.sampled_from([b"", b"{", PACKED_PREAMBLE]))
def test_parameters_garbage(data: bytes, start: bytes) -> None:
    with contextlib.suppress(RemoteProtocolError):
        assert None not in unpack(start + data).values()


@given(
    st.builds(
        HandshakeResponse,
        homepages=st.lists(st.text(), max_size=3),
        encoded_server_list=st.lists(st.text(), max_size=3),
        client_region=st.text(),
        upstream_bytes_per_second=st.integers(0, 2**63 - 1),
        padding=st.text(" "),
    )
)
def test_handshake_response_there_and_back(response: HandshakeResponse) -> None:
    assert decode_handshake_response(response.to_json()) == response
    assert decode_handshake_response(response.to_cbor()) == response


@given(st.integers(-62_135_596_800, 2**60))
def test_time_there_and_back(seconds: int) -> None:
    assert decode_time(encode_time(seconds)) == seconds
