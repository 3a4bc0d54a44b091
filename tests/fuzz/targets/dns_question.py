"""Questions to name servers that clients send through the tunnel: any bytes are a question, or none."""

from headrace.base.errors import RemoteProtocolError
from headrace.codec.dns_question import read_question

SEEDS = [bytes(4) + b"\0\1" + bytes(6) + b"\1a\7example\0\0\1\0\1"]


def fuzz(data: bytes) -> None:
    """`data` is a datagram to a name server."""
    try:
        name = read_question(data)
    except RemoteProtocolError:
        return
    assert len(name) <= 253
