"""What a client says when it opens a channel: any bytes parse, or raise RemoteProtocolError."""

from contextlib import suppress

from headrace.base.errors import RemoteProtocolError
from headrace.ssh.forwarding import Destination
from headrace.ssh.liveness import parse_liveness

SEEDS = [
    Destination("example.com", 443).encode(),
    Destination("2001:db8::1", 80).encode(),
    b'{"u":1000,"d":2000}',
]


def fuzz(data: bytes) -> None:
    """`data` is the extra data of a port forward, and of a liveness test."""
    with suppress(RemoteProtocolError):
        destination = Destination.parse(memoryview(data))
        assert destination.possible
        assert Destination.parse(memoryview(destination.encode())) == destination
    with suppress(RemoteProtocolError):
        parse_liveness(data)
