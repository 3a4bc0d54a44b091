"""udpgw frames, in both directions and in pieces of any size."""

import pytest

from headrace.base.errors import LocalProtocolError, RemoteProtocolError
from headrace.codec.udpgw import (
    MAX_DATAGRAM,
    Frame,
    UdpgwDecoder,
    connection_id,
    datagram_from,
    encode_frame,
    encode_keepalive,
)

V4 = Frame(0x0102, bytes([192, 0, 2, 1]), 53, b"query", dns=True)
V6 = Frame(0xFFFF, bytes.fromhex("20010db8000000000000000000000001"), 443, b"", rebind=True)
V4_BYTES = bytes.fromhex("0e00 04 0201 c0000201 0035") + b"query"
V6_BYTES = bytes.fromhex("1500 0a ffff 20010db8000000000000000000000001 01bb")


@pytest.mark.parametrize(("frame", "data"), [(V4, V4_BYTES), (V6, V6_BYTES)])
def test_known_bytes(frame: Frame, data: bytes) -> None:
    assert encode_frame(frame) == data
    assert UdpgwDecoder().receive(data) == [frame]


def test_byte_by_byte_with_keepalives_between() -> None:
    decoder = UdpgwDecoder()
    stream = encode_keepalive() + V4_BYTES + encode_keepalive() + V6_BYTES + V4_BYTES
    frames = [frame for byte in stream for frame in decoder.receive(bytes([byte]))]
    assert frames == [V4, V6, V4]


def test_trailing_data_waits_for_its_rest() -> None:
    decoder = UdpgwDecoder()
    assert decoder.receive(memoryview(V4_BYTES + V6_BYTES[:7])) == [V4]
    assert decoder.receive(V6_BYTES[7:]) == [V6]


def test_a_keepalive_may_carry_anything() -> None:
    assert UdpgwDecoder().receive(bytes.fromhex("0500 01 0000 ffff") + V4_BYTES) == [V4]


def test_host_is_text() -> None:
    assert V4.host == "192.0.2.1"
    assert V6.host == "2001:db8::1"


def test_longest_datagram() -> None:
    frame = Frame(1, bytes(16), 1, bytes(MAX_DATAGRAM))
    assert UdpgwDecoder().receive(encode_frame(frame)) == [frame]
    with pytest.raises(LocalProtocolError, match="32769 bytes"):
        encode_frame(Frame(1, bytes(16), 1, bytes(MAX_DATAGRAM + 1)))


@pytest.mark.parametrize(
    "data",
    [
        "0000",  # shorter than its own head
        "0200",
        "1680",  # one byte more than the longest IPv6 message
        "0800 00 0000 c0000201 00",  # IPv4 address and port cut short
        "1400 08 0000 20010db8000000000000000000000001 01",
    ],
)
def test_impossible_sizes(data: str) -> None:
    with pytest.raises(RemoteProtocolError):
        UdpgwDecoder().receive(bytes.fromhex(data))


def test_datagram_above_the_limit_with_a_short_address() -> None:
    size = 3 + 4 + 2 + MAX_DATAGRAM + 1
    with pytest.raises(RemoteProtocolError):
        UdpgwDecoder().receive(size.to_bytes(2, "little") + bytes(size))


def test_an_address_has_four_or_sixteen_bytes() -> None:
    with pytest.raises(LocalProtocolError, match="not 5"):
        encode_frame(Frame(1, bytes(5), 1, b""))


@pytest.mark.parametrize("frame", [V4, V6])
@pytest.mark.parametrize("flags", [0x00, 0x08, 0x0F])
def test_replies_are_read_by_what_is_expected_whatever_their_flags(frame: Frame, flags: int) -> None:
    (message,) = UdpgwDecoder().messages(encode_keepalive() + encode_frame(frame))
    message = bytes((flags,)) + message[1:]
    assert connection_id(message) == frame.connection_id
    assert datagram_from(message, frame.address, frame.port) == frame.datagram
    assert datagram_from(message, frame.address, frame.port + 1) is None
    assert datagram_from(message, frame.address[::-1], frame.port) is None
    assert datagram_from(message[: 3 + len(frame.address)], frame.address, frame.port) is None
