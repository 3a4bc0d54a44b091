"""What the SOCKS proxy makes of requests, beyond what every local proxy does."""

import pytest
from tests.memory_network import settle

from headrace.client.local_socks import SocksConnection
from headrace.ssh.forwarding import Destination
from headrace.testing.fake_tcp import FakeTcp
from headrace.testing.memory_tunnel import MemoryTunnel

pytestmark = pytest.mark.virtual_time

REFUSED5 = b"\x05%c\x00\x01" + bytes(6)


async def connect(data: bytes, *, pieces: int = 1 << 20) -> tuple[MemoryTunnel, FakeTcp]:
    """Send `data` to the proxy; return the tunnel it asked, and the connection."""
    tunnel = MemoryTunnel(answers=False)
    tcp = FakeTcp(SocksConnection(tunnel))
    for start in range(0, len(data), pieces):
        tcp.arrive(data[start : start + pieces])
    await settle()
    return tunnel, tcp


@pytest.mark.parametrize("pieces", [1, 1000])
@pytest.mark.parametrize(
    ("data", "destination"),
    [
        (b"\x05\x01\x00\x05\x01\x00\x01\x08\x08\x04\x04\x00\x50", Destination("8.8.4.4", 80)),
        (b"\x05\x01\x00\x05\x01\x00\x03\x05a.org\xff\xff", Destination("a.org", 65535)),
        (b"\x05\x01\x00\x05\x01\x00\x04\x20\x01" + bytes(13) + b"\x07\x00\x16", Destination("2001::7", 22)),
        (b"\x05\x02\x02\x00\x05\x01\x00\x03\x05a.org\x00\x50", Destination("a.org", 80)),
        (b"\x05\x01\x02\x01\x01u\x01p\x05\x01\x00\x03\x05a.org\x00\x50", Destination("a.org", 80)),
        (b"\x04\x01\x00\x50\x08\x08\x04\x04\x00", Destination("8.8.4.4", 80)),
        (b"\x04\x01\x00\x50\x00\x00\x00\x09me\x00a.org\x00", Destination("a.org", 80)),
    ],
    ids=["5 IPv4", "5 name", "5 IPv6", "5 methods", "5 password", "4", "4a"],
)
async def test_requests(data: bytes, destination: Destination, pieces: int) -> None:
    tunnel, tcp = await connect(data, pieces=pieces)
    assert tunnel.destinations == [destination]
    assert tcp.log == []


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b""),
        (b"\x06", b""),
        (b"\x05\x01\x01", b"\x05\xff"),
        (b"\x05\x00", b"\x05\xff"),
        (b"\x05\x01\x02\x01\x00\x01p", b"\x05\x02\x01\x01"),
        (b"\x05\x01\x00\x05\x02\x00\x01\x08\x08\x04\x04\x00\x50", b"\x05\x00" + REFUSED5 % 7),  # BIND
        (
            b"\x05\x01\x00\x05\x03\x00\x01\x08\x08\x04\x04\x00\x50",
            b"\x05\x00" + REFUSED5 % 7,
        ),  # UDP ASSOCIATE
        (b"\x05\x01\x00\x05\x01\x00\x02\x00", b"\x05\x00" + REFUSED5 % 8),
        (b"\x04\x02\x00\x50\x08\x08\x04\x04\x00", b""),
    ],
)
async def test_what_is_refused_is_told_and_closed_at_once(data: bytes, answer: bytes) -> None:
    tunnel, tcp = await connect(data)
    assert tunnel.destinations == []
    assert bytes(tcp.written) == answer
    assert tcp.events == [(0.0, "close")]


async def test_what_follows_a_refusal_is_ignored() -> None:
    tunnel = MemoryTunnel(answers=False)
    connection = SocksConnection(tunnel)
    tcp = FakeTcp(connection)
    tcp.arrive(b"\x05\x01\x01")
    buffer = connection.get_buffer(-1)  # a loop may have read before it heard of the end
    buffer[:4] = b"more"
    connection.buffer_updated(4)
    assert bytes(tcp.written) == b"\x05\xff"
