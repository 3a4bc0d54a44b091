"""udpgw: any bytes give frames that encode to the same bytes again, or raise RemoteProtocolError."""

from headrace.base.errors import RemoteProtocolError
from headrace.codec.udpgw import UdpgwDecoder, encode_frame


def fuzz(data: bytes) -> None:
    """`data` is what a client sends on the udpgw channel."""
    try:
        frames = UdpgwDecoder().receive(data)
    except RemoteProtocolError:
        return
    again = b"".join(map(encode_frame, frames))
    assert UdpgwDecoder().receive(again) == frames
    assert len(again) <= len(data)
