"""Heads of SOCKS5 datagrams."""

import pytest

from headrace.base.errors import RemoteProtocolError
from headrace.codec.socks_udp import SocksDatagram, encode_sender, parse_datagram

V4 = bytes([192, 0, 2, 1])
V6 = bytes.fromhex("20010db8000000000000000000000001")


@pytest.mark.parametrize(
    ("head", "host"),
    [
        ("000000 01 c0000201 0035", V4),
        ("000000 04 20010db8000000000000000000000001 0035", V6),
        ("000000 03 05 612e6f7267 0035", "a.org"),
    ],
    ids=["IPv4", "IPv6", "name"],
)
@pytest.mark.parametrize("data", [b"", b"question", bytes(60_000)], ids=len)
def test_what_is_sent(head: str, host: bytes | str, data: bytes) -> None:
    assert parse_datagram(bytes.fromhex(head) + data) == SocksDatagram(host, 53, data)


@pytest.mark.parametrize(
    "data",
    [
        "",
        "0000",
        "000001 01 c0000201 0035",  # a fragment
        "000080 01 c0000201 0035",  # the last one
        "000100 01 c0000201 0035",
        "000000 02 c0000201 0035",
        "000000 01 c0000201 0000",  # no port
        "000000 01 c0000201 00",
        "000000 04 c0000201 0035",
        "000000 03 00 0035",  # no name
        "000000 03 05 61 0035",
        "000000 03 01 ff 0035",
        "000000 03 03 612062 0035",
    ],
)
def test_what_is_for_nobody(data: str) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_datagram(bytes.fromhex(data))


@pytest.mark.parametrize("address", [V4, V6])
def test_what_comes_back_reads_like_what_is_sent(address: bytes) -> None:
    assert parse_datagram(encode_sender(address, 53) + b"x") == SocksDatagram(address, 53, b"x")
