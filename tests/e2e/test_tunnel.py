"""The whole thing on loopback: applications through the client's proxies, the tunnel and the server."""

import asyncio
import hashlib
import json
import re
import struct

import pytest
from tests.interop.programs import program

from headrace.documents.server_entry import ServerEntry
from headrace.testing.dead_ends import silent
from headrace.testing.entries import make_entries
from headrace.testing.loopback import LoopbackNetwork
from headrace.testing.origin import PAGE, payload

pytestmark = pytest.mark.both_loops

WAYS = pytest.mark.parametrize(
    ("protocol", "prefix"), [("OSSH", False), ("OSSH", True), ("SSH", False)], ids=["ossh", "prefix", "ssh"]
)


async def curl(*arguments: str) -> bytes:
    """Run curl; return what it printed. Its failure is the test's."""
    process = await asyncio.create_subprocess_exec(
        program("curl"),
        "--silent",
        "--show-error",
        "--fail",
        "--max-time",
        "30",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return output


async def socks(network: LoopbackNetwork, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a port forward to a port of this machine."""
    reader, writer = await asyncio.open_connection("127.0.0.1", network.socks_port)
    writer.write(b"\x05\x01\x00" + b"\x05\x01\x00\x01\x7f\0\0\x01" + struct.pack(">H", port))
    assert (await reader.readexactly(12))[3] == 0
    return reader, writer


@WAYS
async def test_five_megabytes_down_and_up(protocol: str, prefix: bool) -> None:
    size = 5_000_000
    async with LoopbackNetwork(protocol, prefix=prefix) as network:
        proxy = f"socks5h://127.0.0.1:{network.socks_port}"
        down = await curl("--proxy", proxy, network.origin.url(f"/bytes/{size}"))
        assert down == payload(size)
        body = payload(size)[::-1]
        process = await asyncio.create_subprocess_exec(
            *(
                program("curl"),
                "--silent",
                "--proxy",
                proxy,
                "--data-binary",
                "@-",
                network.origin.url("/sum"),
            ),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        answer, _ = await process.communicate(body)
        assert json.loads(answer) == {"length": size, "sha256": hashlib.sha256(body).hexdigest()}


async def test_every_kind_of_local_proxy() -> None:
    async with LoopbackNetwork() as network:
        page = network.origin.url()
        socks_address = f"127.0.0.1:{network.socks_port}"
        for scheme in ("socks4", "socks4a", "socks5", "socks5h"):
            assert await curl("--proxy", f"{scheme}://{socks_address}", page) == PAGE
        http = f"http://127.0.0.1:{network.http_port}"
        assert await curl("--proxy", http, page) == PAGE
        assert await curl("--proxytunnel", "--proxy", http, page) == PAGE


async def test_names_are_resolved_by_the_server() -> None:
    async with LoopbackNetwork() as network:
        url = f"http://localhost:{network.origin.port}/"
        assert await curl("--proxy", f"socks5h://127.0.0.1:{network.socks_port}", url) == PAGE


async def test_fifty_forwards_at_once() -> None:
    async with LoopbackNetwork() as network:
        proxy = f"socks5h://127.0.0.1:{network.socks_port}"
        url = network.origin.url("/bytes/[1000-1049]")
        output = await curl(
            "--proxy", proxy, "--parallel", "--parallel-max", "50", url, "--write-out", "%{http_code} "
        )
        assert output.count(b"200 ") == 50


async def test_half_close_passes_through() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        everything = await reader.read()
        writer.write(hashlib.sha256(everything).digest())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with LoopbackNetwork() as network, server:
        reader, writer = await socks(network, server.sockets[0].getsockname()[1])
        body = payload(300_000)
        writer.write(body)
        writer.write_eof()
        assert await reader.read() == hashlib.sha256(body).digest()
        writer.close()


async def test_a_forbidden_destination_is_told_in_the_proxys_own_terms() -> None:
    async with LoopbackNetwork(server={"AllowBogons": False}) as network:
        reader, writer = await asyncio.open_connection("127.0.0.1", network.socks_port)
        writer.write(b"\x05\x01\x00" + b"\x05\x01\x00\x01\x7f\0\0\x01\x00\x50")
        assert (await reader.readexactly(12))[3] == 2  # not allowed
        assert await reader.read() == b""
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", network.http_port)
        writer.write(b"CONNECT 10.0.0.1:443 HTTP/1.1\r\nHost: 10.0.0.1:443\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 403")
        writer.close()


async def test_the_client_tells_what_happens_in_order() -> None:
    async with LoopbackNetwork(client={"EmitDiagnosticNotices": True}) as network:
        pass
    types = [notice["noticeType"] for notice in network.notices]
    for earlier, later in (
        ("SessionId", "ListeningSocksProxyPort"),
        ("ListeningHttpProxyPort", "ConnectingServer"),
        ("ConnectingServer", "ConnectedServer"),
        ("ConnectedServer", "ActiveTunnel"),
        ("ActiveTunnel", "TotalBytesTransferred"),
    ):
        assert types.index(earlier) < types.index(later)
    counts = [notice["data"]["count"] for notice in network.notices if notice["noticeType"] == "Tunnels"]
    assert counts == [0, 1, 0]
    assert types[-1] == "Exiting"


@WAYS
async def test_nothing_leaks_into_logs_and_notices_at_default_level(protocol: str, prefix: bool) -> None:
    """No client address, destination, key or password: in what the client tells and what the server logs."""
    async with LoopbackNetwork(protocol, prefix=prefix) as network:
        proxy = f"socks5h://127.0.0.1:{network.socks_port}"
        await curl("--proxy", proxy, f"http://localhost:{network.origin.port}/bytes/1000")
        _, writer = await asyncio.open_connection("127.0.0.1", network.server.worker.ports["OSSH"])
        writer.write(b"a stranger" * 10_000)  # long enough to be refused for good
        entry = network.server.entry
        secrets = [
            entry.ssh_password,
            entry.ssh_obfuscated_key,
            entry.web_server_secret,
            entry.ssh_host_key,
            entry.ssh_username,
            "localhost",
            str(network.origin.port),
            "F" * 16,
        ]
        writer.close()
    written = network.log + json.dumps(network.notices)
    assert "Tunnels" in written
    assert not re.search(r"\b\d{1,3}(\.\d{1,3}){3}\b", written)
    assert "::1" not in written
    assert [secret for secret in secrets if secret in written] == []


async def test_a_dead_server_does_not_hold_up_a_live_one() -> None:
    addresses = [f"127.0.0.{number}" for number in range(2, 7)]
    with silent(addresses) as port:
        made = make_entries(len(addresses), port=port, capabilities=["OSSH"])
        dead = [
            ServerEntry.from_fields({**fields, "ipAddress": address})
            for fields, address in zip(made, addresses, strict=True)
        ]
        async with LoopbackNetwork(others=dead) as network:
            assert network.controller.connected.is_set()


async def test_a_lost_tunnel_is_made_anew_and_the_proxies_stay() -> None:
    async with LoopbackNetwork() as network:
        ports = dict(network.controller.ports)
        for session in list(network.server.worker._sessions):
            session.socket.abort()
        await network.controller.disconnected.wait()
        await network.controller.connected.wait()
        assert network.controller.ports == ports
        proxy = f"socks5h://127.0.0.1:{network.socks_port}"
        assert await curl("--proxy", proxy, network.origin.url()) == PAGE
