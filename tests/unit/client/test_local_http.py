"""What the HTTP proxy makes of a first request; how plain requests are forwarded is `test_http_forward`'s."""

import asyncio

import pytest
from tests.memory_network import settle

from headrace.client.http_forward import HttpForward
from headrace.client.http_proxy import HttpProxy
from headrace.client.local_pages import LocalPages
from headrace.client.proxy_options import ProxyOptions
from headrace.ssh.forwarding import Destination
from headrace.testing.fake_tcp import FakeTcp
from headrace.testing.memory_tunnel import MemoryTunnel

pytestmark = pytest.mark.virtual_time

BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


async def connect(data: bytes) -> tuple[MemoryTunnel, FakeTcp]:
    """Send `data` to the proxy; return the tunnel it asked, and the connection."""
    tunnel = MemoryTunnel(answers=False)
    tcp = FakeTcp(HttpProxy(tunnel, ProxyOptions()).connection())
    tcp.arrive(data)
    await settle()
    return tunnel, tcp


@pytest.mark.parametrize(
    ("authority", "destination"),
    [
        ("a.org:443", Destination("a.org", 443)),
        ("8.8.8.8:22", Destination("8.8.8.8", 22)),
        ("[2001:db8::1]:443", Destination("2001:db8::1", 443)),
    ],
)
async def test_connect(authority: str, destination: Destination) -> None:
    tunnel, tcp = await connect(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
    assert tunnel.destinations == [destination]
    assert tcp.written == b""


@pytest.mark.parametrize(
    "request_",
    [
        b"CONNECT a.org HTTP/1.1\r\nHost: a.org\r\n\r\n",
        b"CONNECT a.org:0 HTTP/1.1\r\nHost: a.org\r\n\r\n",
        b"CONNECT a.org:65536 HTTP/1.1\r\nHost: a.org\r\n\r\n",
        b"CONNECT :443 HTTP/1.1\r\nHost: a.org\r\n\r\n",
        b"GET ftp://a.org/ HTTP/1.1\r\nHost: a.org\r\n\r\n",
        b"\x05\x01\x00 this is SOCKS\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET http://a.org/ HTTP/1.1\r\n" + b"X: " + bytes(70_000).replace(b"\0", b"x"),
    ],
)
async def test_what_is_no_request_for_a_proxy_gets_400_and_opens_nothing(request_: bytes) -> None:
    tunnel, tcp = await connect(request_)
    assert bytes(tcp.written) == BAD_REQUEST
    assert tcp.events == [(0.0, "fin")]
    assert tunnel.destinations == []
    tcp.arrive(b"what is still under way")
    await asyncio.sleep(1)
    assert bytes(tcp.written) == BAD_REQUEST
    assert tcp.lost


async def test_a_plain_request_is_handed_over_whole() -> None:
    tunnel, tcp = await connect(b"GET http://a.org:81/x HTTP/1.1\r\nHost: a.org:81\r\n\r\n")
    assert isinstance(tcp._protocol, HttpForward)
    assert tunnel.destinations == [Destination("a.org", 81)]
    assert tcp.written == b""
    tcp.abort()
    await settle()


@pytest.mark.parametrize("request_", [b"GET / HTTP/1.1", b"GET /direct/x HTTP/1.1", b"OPTIONS * HTTP/1.1"])
async def test_a_request_for_the_proxy_itself_is_handed_over_whole(request_: bytes) -> None:
    tunnel, tcp = await connect(request_ + b"\r\nHost: a.org\r\n\r\n")
    assert isinstance(tcp._protocol, LocalPages)
    assert tunnel.destinations == []
    tcp.abort()
    await settle()
