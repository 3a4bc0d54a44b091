"""Datagrams through the whole of it: an application's association, the tunnel, and the server's flows."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from tests.datagrams import Answering, Application, NameServer, Shim
from tests.interop.programs import program

from headrace.testing.loopback import LoopbackNetwork

pytestmark = pytest.mark.both_loops


def serve_names(monkeypatch: pytest.MonkeyPatch, server: NameServer) -> None:
    monkeypatch.setattr("headrace.server.udpgw_channel._DNS_PORT", server.port)


@pytest.mark.parametrize("protocol", ["OSSH", "SSH"])
@pytest.mark.parametrize("announce", [False, True], ids=["port unknown", "port announced"])
async def test_there_and_back(protocol: str, announce: bool) -> None:
    async with (
        Answering() as echo,
        LoopbackNetwork(protocol) as network,
        Application(network.socks_port, announce=announce) as application,
    ):
        for data in (b"x", bytes(1_400), bytes(32_768)):
            assert await application.ask("127.0.0.1", echo.port, data) == ("127.0.0.1", echo.port, data)
        assert len(set(echo.senders)) == 1


async def test_ipv6_destinations() -> None:
    async with Answering(host="::1") as echo, LoopbackNetwork() as network:
        async with Application(network.socks_port) as application:
            assert await application.ask("::1", echo.port, b"x") == ("::1", echo.port, b"x")


async def test_names_are_looked_up_where_the_tunnel_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    names = NameServer({"echo.test": ["127.0.0.1"], "six.test": ["::1"]})
    async with names, Answering() as echo, Answering(host="::1") as six:
        serve_names(monkeypatch, names)
        async with LoopbackNetwork(server={"DNSResolverIPAddress": "127.0.0.1"}) as network:
            async with Application(network.socks_port) as application:
                for _ in range(3):
                    assert await application.ask("echo.test", echo.port, b"x") == (
                        "127.0.0.1",
                        echo.port,
                        b"x",
                    )
                assert await application.ask("six.test", six.port, b"y") == ("::1", six.port, b"y")
                application.send("nowhere.test", echo.port, b"z")
                await names.asked("nowhere.test A")
                assert await application.ask("ECHO.test", echo.port, b"x") == ("127.0.0.1", echo.port, b"x")
    assert names.questions == ["echo.test A", "six.test A", "six.test AAAA", "nowhere.test A"]
    assert len(echo.senders) == 4


async def dig(port: int, *question: str) -> str:
    """Ask 127.0.0.1 at a port; return dig's short answer."""
    command = [program("dig"), "@127.0.0.1", "-p", str(port), "+short", "+tries=1", "+time=5", *question]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode().strip()


async def test_dig(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server on the application's own network stands for the one that the server uses."""
    names = NameServer({"echo.test": ["192.0.2.1", "192.0.2.2"], "six.test": ["2001:db8::6"]})
    async with names:
        serve_names(monkeypatch, names)
        async with (
            LoopbackNetwork(server={"DNSResolverIPAddress": "127.0.0.1"}) as network,
            Application(network.socks_port) as application,
            Shim(application, "192.168.1.1", 53) as shim,
        ):
            assert sorted((await dig(shim.port, "echo.test")).split()) == ["192.0.2.1", "192.0.2.2"]
            assert await dig(shim.port, "six.test", "AAAA") == "2001:db8::6"
            assert await dig(shim.port, "nowhere.test") == ""


async def test_a_thousand_flows_at_once() -> None:
    async with AsyncExitStack() as stack:
        echoes = [await stack.enter_async_context(Answering()) for _ in range(50)]
        network = await stack.enter_async_context(LoopbackNetwork())
        port = network.socks_port
        applications = [await stack.enter_async_context(Application(port)) for _ in range(20)]

        async def use(application: Application, number: int) -> None:
            said = {(echo.host, echo.port, b"%d to %d" % (number, echo.port)) for echo in echoes}
            for host, port, data in said:
                application.send(host, port, data)
            assert {await application.arrived.get() for _ in said} == said

        for _ in range(3):
            async with asyncio.timeout(20):
                await asyncio.gather(*map(use, applications, range(len(applications))))
        assert network.controller.udp.gateway.flows == 1000
        # The server had a port for each of them from the first round to the last.
        assert all(len(echo.senders) == 60 and len(set(echo.senders)) == 20 for echo in echoes)


async def test_datagrams_get_through_beside_a_big_download() -> None:
    size = 30_000_000
    async with (
        Answering() as echo,
        LoopbackNetwork() as network,
        Application(network.socks_port) as application,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", network.socks_port)
        writer.write(b"\5\1\0\5\1\0\1\x7f\0\0\1" + network.origin.port.to_bytes(2, "big"))
        writer.write(b"GET /bytes/%d HTTP/1.1\r\nHost: origin\r\n\r\n" % size)
        await reader.readexactly(12 + 1_000_000)
        download = asyncio.create_task(reader.readexactly(size - 1_000_000))
        for number in range(50):
            data = b"%d" % number
            assert await application.ask("127.0.0.1", echo.port, data) == ("127.0.0.1", echo.port, data)
        await download
        writer.close()


async def test_a_lost_tunnel_is_made_anew_and_flows_go_on() -> None:
    async with (
        Answering() as echo,
        LoopbackNetwork() as network,
        Application(network.socks_port) as application,
    ):
        await application.ask("127.0.0.1", echo.port, b"one")
        (session,) = network.server.worker.sessions
        session.socket.abort()
        await network.controller.disconnected.wait()
        assert await application.ask("127.0.0.1", echo.port, b"two") == ("127.0.0.1", echo.port, b"two")
        assert network.controller.udp.gateway.flows == 1
        assert len(set(echo.senders)) == 2  # another flow at the server
