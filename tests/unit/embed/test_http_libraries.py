"""httpx, aiohttp, urllib3 and requests through the tunnel, to a web server on loopback."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import cast

import aiohttp
import httpx
import pytest
import requests
import urllib3
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived
from tests.certificates import HERE, Authority

import headrace
from headrace.testing.loopback import LoopbackServer
from headrace.testing.origin import PAGE, Origin, payload

pytestmark = pytest.mark.both_loops

SIZE = 300_000


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
async def config() -> AsyncIterator[dict[str, object]]:
    async with LoopbackServer() as server:
        names = {"PropagationChannelId": "F" * 16, "SponsorId": "F" * 16}
        yield {**names, "TargetServerEntry": server.entry.encode()}


@pytest.fixture
async def tunnel(config: dict[str, object]) -> AsyncIterator[headrace.Tunnel]:
    async with headrace.connect(config, timeout=10) as connected:
        yield connected


@asynccontextmanager
async def secure_page(authority: Authority) -> AsyncIterator[int]:
    """Serve one page over TLS; give the port."""
    certificate = authority.certify(*HERE)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.chain, certificate.key)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(PAGE), PAGE))
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


class Http2(asyncio.Protocol):
    """A server of one page over HTTP/2."""

    def __init__(self) -> None:
        self._http = H2Connection(H2Configuration(client_side=False))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._http.initiate_connection()
        self._transport.write(self._http.data_to_send())

    def data_received(self, data: bytes) -> None:
        for event in self._http.receive_data(data):
            if isinstance(event, RequestReceived):
                assert event.stream_id is not None
                self._http.send_headers(event.stream_id, [(":status", "200")])
                self._http.send_data(event.stream_id, PAGE, end_stream=True)
        self._transport.write(self._http.data_to_send())


# ---- httpx


async def test_httpx(tunnel: headrace.Tunnel, origin: Origin) -> None:
    async with httpx.AsyncClient(transport=tunnel.httpx_transport()) as client:
        for _ in range(2):
            assert (await client.get(origin.url(f"/bytes/{SIZE}"))).content == payload(SIZE)
        assert (await client.post(origin.url("/sum"), content=payload(SIZE))).json()["length"] == SIZE
        assert origin.connections == 1
        with pytest.raises(httpx.ConnectError, match="refused at the far end"):
            await client.get("http://127.0.0.1:1/")
        with pytest.raises(httpx.ConnectError, match="no host of that name"):
            await client.get(f"http://{'a' * 64}.example/")


async def test_httpx_over_tls(tunnel: headrace.Tunnel, authority: Authority) -> None:
    async with secure_page(authority) as port:
        url = f"https://localhost:{port}/"
        trusting = ssl.create_default_context(cafile=authority.file)
        async with httpx.AsyncClient(transport=tunnel.httpx_transport(verify=trusting)) as client:
            assert (await client.get(url.replace("localhost", "127.0.0.1"))).content == PAGE
        async with httpx.AsyncClient(transport=tunnel.httpx_transport()) as client:
            with pytest.raises(httpx.ConnectError, match="not trusted"):
                await client.get(url.replace("localhost", "127.0.0.1"))


async def test_httpx_with_http2(tunnel: headrace.Tunnel, authority: Authority) -> None:
    certificate = authority.certify(*HERE)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.chain, certificate.key)
    context.set_alpn_protocols(["h2"])
    connections: list[Http2] = []

    def accept() -> Http2:
        connections.append(Http2())
        return connections[-1]

    server = await asyncio.get_running_loop().create_server(accept, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    trusting = ssl.create_default_context(cafile=authority.file)
    transport = tunnel.httpx_transport(verify=trusting, http2=True)
    async with server, httpx.AsyncClient(transport=transport) as client:
        url = f"https://127.0.0.1:{port}/"
        responses = await asyncio.gather(*(client.get(url) for _ in range(20)))
        assert {(response.http_version, response.content) for response in responses} == {("HTTP/2", PAGE)}
    assert len(connections) == 1


# ---- aiohttp


async def test_aiohttp(tunnel: headrace.Tunnel, origin: Origin) -> None:
    async with aiohttp.ClientSession(connector=tunnel.aiohttp_connector()) as session:
        for _ in range(2):
            async with session.get(origin.url(f"/bytes/{SIZE}")) as response:
                assert await response.read() == payload(SIZE)
        async with session.post(origin.url("/sum"), data=payload(SIZE)) as response:
            assert (await response.json())["length"] == SIZE
        assert origin.connections == 1
        with pytest.raises(aiohttp.ClientConnectorError, match="refused at the far end"):
            await session.get("http://127.0.0.1:1/")


async def test_aiohttp_over_tls(tunnel: headrace.Tunnel, authority: Authority) -> None:
    trusting = ssl.create_default_context(cafile=authority.file)
    connector = tunnel.aiohttp_connector()
    async with secure_page(authority) as port, aiohttp.ClientSession(connector=connector) as session:
        url = f"https://127.0.0.1:{port}/"
        async with session.get(url, ssl=trusting) as response:
            assert await response.read() == PAGE
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(url)
        with pytest.raises(aiohttp.ServerFingerprintMismatch):
            await session.get(url, ssl=aiohttp.Fingerprint(bytes(32)))


# ---- requests and urllib3


async def test_requests(config: dict[str, object], origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")  # for those who connect from here

    def use() -> None:
        with headrace.connect_sync(config, timeout=10) as tunnel, requests.Session() as session:
            session.mount("http://", tunnel.requests_adapter())
            for _ in range(2):
                assert session.get(origin.url(f"/bytes/{SIZE}"), timeout=10).content == payload(SIZE)
            assert session.post(origin.url("/sum"), data=payload(SIZE), timeout=10).json()["length"] == SIZE
            assert session.get(origin.url(f"/until-close/{SIZE}"), timeout=10).content == payload(SIZE)
            with pytest.raises(requests.ConnectionError, match="refused at the far end"):
                session.get("http://127.0.0.1:1/", timeout=10)

    await asyncio.to_thread(use)
    assert origin.connections == 1


async def test_requests_over_tls(config: dict[str, object], authority: Authority) -> None:
    def use(url: str) -> None:
        with headrace.connect_sync(config, timeout=10) as tunnel, requests.Session() as session:
            session.mount("https://", tunnel.requests_adapter())
            assert session.get(url, verify=str(authority.file), timeout=10).content == PAGE
            with pytest.raises(requests.exceptions.SSLError):
                session.get(url, timeout=10)

    async with secure_page(authority) as port:
        await asyncio.to_thread(use, f"https://127.0.0.1:{port}/")


async def test_urllib3_from_many_threads(config: dict[str, object], origin: Origin) -> None:
    def use() -> list[bytes]:
        with headrace.connect_sync(config, timeout=10) as tunnel:
            manager = tunnel.pool_manager(maxsize=20)

            def get(size: int) -> bytes:
                return manager.request("GET", origin.url(f"/bytes/{size}")).data

            with ThreadPoolExecutor(20) as executor:
                bodies = list(executor.map(get, range(1000, 1200)))
            manager.clear()
            return bodies

    assert await asyncio.to_thread(use) == [payload(size) for size in range(1000, 1200)]


async def test_a_time_limit_of_urllib3(config: dict[str, object]) -> None:
    def use(url: str) -> None:
        with headrace.connect_sync(config, timeout=10) as tunnel:
            limit = urllib3.Timeout(connect=5, read=0.1)
            with pytest.raises(urllib3.exceptions.ReadTimeoutError):
                tunnel.pool_manager().request("GET", url, timeout=limit, retries=False)

    async def ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(ignore, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await asyncio.to_thread(use, f"http://127.0.0.1:{port}/")
