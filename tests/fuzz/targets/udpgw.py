"""udpgw: any bytes give frames that encode to the same bytes again, or raise RemoteProtocolError."""

from headrace.base.errors import RemoteProtocolError
from headrace.codec.udpgw import (
    Frame,
    UdpgwDecoder,
    connection_id,
    datagram_from,
    encode_frame,
    encode_keepalive,
)

SEEDS = [
    encode_frame(Frame(7, b"\x08\x08\x08\x08", 53, b"question", dns=True))
    + encode_keepalive()
    + encode_frame(Frame(8, bytes(range(16)), 443, b"datagram", rebind=True)),
]


def fuzz(data: bytes) -> None:
    """`data` is what either side sends on the udpgw channel."""
    try:
        messages = UdpgwDecoder().messages(data)
        frames = UdpgwDecoder().receive(data)
    except RemoteProtocolError:
        return
    again = b"".join(map(encode_frame, frames))
    assert UdpgwDecoder().receive(again) == frames
    assert len(again) <= len(data)
    for message, frame in zip(messages, frames, strict=True):
        assert connection_id(message) == frame.connection_id
        assert datagram_from(message, frame.address, frame.port) == frame.datagram
