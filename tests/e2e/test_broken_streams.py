"""A stream that broke must not look like one that ended: what an application has may not be all there is."""

import asyncio
import struct

import pytest

from headrace.testing.loopback import LoopbackNetwork

pytestmark = pytest.mark.both_loops


@pytest.mark.parametrize("proxy", ["socks", "connect", "http"])
async def test_a_lost_tunnel_resets_what_went_through_it(proxy: str) -> None:
    async def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nbeginning")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    requests = {
        "socks": b"\x05\x01\x00\x05\x01\x00\x01\x7f\0\0\x01" + struct.pack(">H", port),
        "connect": f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
        "http": f"GET http://127.0.0.1:{port}/ HTTP/1.0\r\n\r\n".encode(),
    }
    async with server, LoopbackNetwork() as network:
        local = network.socks_port if proxy == "socks" else network.http_port
        reader, writer = await asyncio.open_connection("127.0.0.1", local)
        writer.write(requests[proxy])
        await reader.readuntil(b"beginning")
        for session in list(network.server.worker._sessions):
            session.socket.abort()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
