"""SOCKS5 datagrams: any bytes are for a destination that can be, or raise RemoteProtocolError."""

from headrace.base.errors import RemoteProtocolError
from headrace.codec.socks_udp import encode_sender, parse_datagram

SEEDS = [
    b"\x00\x00\x00\x01\x08\x08\x04\x04\x00\x35question",
    b"\x00\x00\x00\x03\x09a.example\x01\xbbdatagram",
    b"\x00\x00\x00\x04" + bytes(range(16)) + b"\x00\x35",
]


def fuzz(data: bytes) -> None:
    """`data` is a datagram from a local program."""
    try:
        datagram = parse_datagram(data)
    except RemoteProtocolError:
        return
    assert data.endswith(datagram.data)
    assert 0 < datagram.port <= 0xFFFF
    if isinstance(datagram.host, bytes):
        assert encode_sender(datagram.host, datagram.port) + datagram.data == data
    else:
        assert 0 < len(datagram.host) <= 255
