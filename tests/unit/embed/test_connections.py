"""Connections for asyncio: through a tunnel, past it, and with TLS on them."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

import pytest
from tests.certificates import HERE, Authority

from headrace.embed.connections import Connections
from headrace.embed.errors import ConnectionFailed
from headrace.net.http import direct
from headrace.net.streams import ByteStream
from headrace.ssh.forwarding import Destination, Failure
from headrace.testing.memory_tunnel import MemoryTunnel

pytestmark = pytest.mark.both_loops
both_ways = pytest.mark.parametrize("past", [False, True], ids=["tunnelled", "direct"])


class Everything:
    """Has everything go past the tunnel."""

    def bypasses(self, destination: Destination) -> bool:
        return True

    def told(self, destination: Destination) -> None:
        raise AssertionError("nobody is asked")

    async def connect(self, destination: Destination, timeout: float) -> ByteStream:
        return await direct(destination.host, destination.port, timeout)


@pytest.fixture
async def tunnel() -> AsyncIterator[MemoryTunnel]:
    async with MemoryTunnel() as made:
        yield made


def connections(tunnel: MemoryTunnel, *, past: bool = False) -> Connections:
    connected = asyncio.Event()
    connected.set()
    tunnel.split = Everything() if past else None  # type: ignore[assignment]
    return Connections(tunnel, connected)


@asynccontextmanager
async def echo(context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Listen, and say what is heard; give the port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1000):
                writer.write(data)
        except OSError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def server_context(authority: Authority) -> ssl.SSLContext:
    certificate = authority.certify(*HERE)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.chain, certificate.key)
    return context


@both_ways
async def test_bytes_pass_and_half_close_too(tunnel: MemoryTunnel, past: bool) -> None:
    async with echo() as port:
        reader, writer = await connections(tunnel, past=past).open_connection("127.0.0.1", port)
        writer.write(bytes(300_000))
        writer.write_eof()
        assert await reader.read() == bytes(300_000)
        assert (writer.get_extra_info("socket") is not None) is past
        assert writer.get_extra_info("peername") == ("127.0.0.1", port)
        writer.close()
        await writer.wait_closed()
    assert len(tunnel.destinations) == (not past)


@both_ways
async def test_tls(tunnel: MemoryTunnel, authority: Authority, past: bool) -> None:
    trusting = ssl.create_default_context(cafile=authority.file)
    async with echo(server_context(authority)) as port:
        made = connections(tunnel, past=past)
        reader, writer = await made.open_connection("127.0.0.1", port, ssl=trusting)
        writer.write(bytes(100_000))
        assert await reader.readexactly(100_000) == bytes(100_000)
        assert writer.get_extra_info("ssl_object").version() == "TLSv1.3"
        writer.close()
        await writer.wait_closed()


@both_ways
async def test_a_certificate_that_is_not_trusted(
    tunnel: MemoryTunnel, authority: Authority, past: bool
) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)  # the server's complaint
    async with echo(server_context(authority)) as port:
        made = connections(tunnel, past=past)
        with pytest.raises(ssl.SSLCertVerificationError):
            await made.open_connection("127.0.0.1", port, ssl=True)


async def test_tls_with_who_does_not_speak_it_is_given_up(tunnel: MemoryTunnel) -> None:
    gone = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        gone.set()

    async with await asyncio.start_server(wait, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ConnectionFailed) as raised:
            await connections(tunnel).open_connection("127.0.0.1", port, ssl=True, timeout=0.2)
        await gone.wait()
    assert raised.value.why is Failure.TIMED_OUT


async def test_a_protocol_that_cannot_be_made_leaves_nothing(tunnel: MemoryTunnel) -> None:
    def fail() -> asyncio.Protocol:
        raise ZeroDivisionError

    async with echo() as port:
        made = connections(tunnel)
        with pytest.raises(ZeroDivisionError):
            await made.create_connection(fail, "127.0.0.1", port)
        await asyncio.sleep(0.01)
        assert not any(channel.open for channel in tunnel.channels)


async def test_who_is_past_the_tunnel_is_dropped_at_the_end(tunnel: MemoryTunnel) -> None:
    async with echo() as port:
        made = connections(tunnel, past=True)
        streams = await made.open_stream("127.0.0.1", port)
        reader, _writer = await made.open_connection("127.0.0.1", port)
        made.drop()
        assert await reader.read() == b""
        assert await streams.read() == b""


async def test_a_lost_tunnel(tunnel: MemoryTunnel) -> None:
    async with echo() as port:
        reader, writer = await connections(tunnel).open_connection("127.0.0.1", port)
        tunnel.lose()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


async def test_starttls_on_an_open_connection(tunnel: MemoryTunnel, authority: Authority) -> None:
    uvloop = not isinstance(asyncio.get_running_loop(), asyncio.BaseEventLoop)
    async with echo(server_context(authority)) as port:
        reader, writer = await connections(tunnel).open_connection("127.0.0.1", port)
        trusting = ssl.create_default_context(cafile=authority.file)
        with pytest.raises(TypeError) if uvloop else nullcontext():  # which takes its own transports only
            await writer.start_tls(trusting, server_hostname="localhost")
            writer.write(b"hello")
            assert await reader.readexactly(5) == b"hello"
        writer.close()
