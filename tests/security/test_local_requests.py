"""What any page or program on this machine may ask of the local proxies must not take the tunnel down."""

import asyncio
import struct

import pytest

from headrace.client.tunnel import Tunnel
from headrace.ssh.channel import Channel, Endpoint
from headrace.ssh.forwarding import DIRECT_TCPIP, Destination
from headrace.testing.loopback import LoopbackNetwork

LONG = "a" * 256
HTTP = [
    f"CONNECT {LONG}:80 HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    f"GET http://{LONG}/ HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    f"GET http://{'a.' * 300}/ HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
]
SOCKS = [
    b"\x05\x01\x00\x05\x01\x00\x03\x01a" + struct.pack(">H", 0),
    b"\x05\x01\x00\x05\x01\x00\x01\x7f\0\0\x01" + struct.pack(">H", 0),
    b"\x04\x01\x00\x50\x00\x00\x00\x01me\0" + LONG.encode() + b"\0",
]


async def ask(port: int, request: bytes) -> None:
    """Make a request; whatever the answer, the proxy gives one or closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    await reader.read()
    writer.close()


def tunnels(network: LoopbackNetwork) -> list[int]:
    return [notice["data"]["count"] for notice in network.notices if notice["noticeType"] == "Tunnels"]


async def test_impossible_destinations_end_at_the_proxy() -> None:
    async with LoopbackNetwork() as network:
        for request in HTTP:
            await ask(network.http_port, request)
        for request in SOCKS:
            await ask(network.socks_port, request)
        assert tunnels(network) == [0, 1]


@pytest.mark.parametrize("destination", [Destination(LONG, 80), Destination("a", 0), Destination("", 80)])
async def test_a_server_refuses_them_to_other_clients(
    destination: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_unchecked(tunnel: Tunnel, _: Destination, endpoint: Endpoint) -> Channel:
        return tunnel.open_channel(DIRECT_TCPIP, destination.encode(), endpoint)

    monkeypatch.setattr(Tunnel, "open", open_unchecked)
    async with LoopbackNetwork() as network:
        await ask(network.http_port, b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert tunnels(network) == [0, 1]
