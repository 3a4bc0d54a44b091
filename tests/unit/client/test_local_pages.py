"""What the HTTP proxy answers itself: its pages, and the conversation around the URL proxy."""

import asyncio
import base64
import json

import h11
import pytest
from tests.local_pages import Asking, Door, asking, lead

from headrace.client import local_pages
from headrace.client.local_pages import IDLE
from headrace.client.proxy_options import ProxyCredentials, ProxyOptions
from headrace.testing.memory_tunnel import MemoryTunnel
from headrace.testing.origin import PAGE, Origin, payload

pytestmark = pytest.mark.both_loops


# ---- pages


async def test_the_first_page_says_where_the_proxies_are() -> None:
    async with asking() as app:
        reply = await app.get("/")
        assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
        for place in (f"127.0.0.1:{app.port}", "127.0.0.1:1080", f"http://127.0.0.1:{app.port}/proxy.pac"):
            assert place in reply.body.decode()


@pytest.mark.parametrize("path", ["/proxy.pac", "/wpad.dat", "/proxy.pac?anew"])
async def test_browsers_are_told_of_the_proxies_at_the_address_they_came_to(path: str) -> None:
    async with asking() as app:
        for host in ("127.0.0.1", "[::1]", "localhost"):
            reply = await app.get(path, [("Host", f"{host}:{app.port}")])
            assert (reply.status, reply.headers["content-type"]) == (200, "application/x-ns-proxy-autoconfig")
            assert f'"PROXY {host}:{app.port}; SOCKS5 {host}:1080"' in reply.body.decode()


async def test_without_a_socks_proxy_there_is_none_to_tell_of() -> None:
    async with asking(options=ProxyOptions()) as app:
        assert f'"PROXY 127.0.0.1:{app.port}"' in (await app.get("/proxy.pac")).body.decode()
        assert "SOCKS proxy<dd>none" in (await app.get("/")).body.decode()


async def test_heads_alone() -> None:
    async with asking() as app:
        whole = await app.get("/proxy.pac")
        head = await app.get("/proxy.pac", method="HEAD")
        assert head.body == b""
        assert head.headers == whole.headers


@pytest.mark.parametrize("path", ["/proxy", "/PROXY.PAC", "//", "/index.html", "/tunneled", "/%2e"])
async def test_there_is_nothing_else(path: str) -> None:
    async with asking() as app:
        reply = await app.get(path)
        assert (reply.status, reply.body) == (404, b"There is no such page here.\n")


async def test_pages_are_read_only() -> None:
    async with asking() as app:
        assert (await app.get("/", method="DELETE")).status == 405


async def test_nothing_is_opened_for_pages() -> None:
    tunnel = MemoryTunnel()
    async with asking(tunnel) as app:
        for path in ("/", "/proxy.pac", "/other"):
            await app.get(path)
        assert tunnel.destinations == []


# ---- who asks

LOGIN = ProxyOptions(credentials=ProxyCredentials("ann", "p\u00e4ss"))
RIGHT, WRONG = (
    f"Basic {base64.b64encode(login.encode()).decode()}" for login in ("ann:p\u00e4ss", "ann:pass")
)


@pytest.mark.parametrize(
    ("headers", "passed_on"),
    [
        ([("Proxy-Authorization", RIGHT)], []),
        ([("Authorization", RIGHT)], []),
        ([("Proxy-Authorization", RIGHT), ("Authorization", WRONG)], [["authorization", WRONG]]),
        ([("Proxy-Authorization", WRONG), ("Authorization", RIGHT)], []),
    ],
)
async def test_who_knows_the_password_is_served_and_the_origin_does_not_hear_it(
    origin: Origin, headers: list[tuple[str, str]], passed_on: list[list[str]]
) -> None:
    async with asking(options=LOGIN) as app:
        reply = await app.get(lead(origin.url("/head")), headers)
        assert json.loads(reply.body)["headers"][1:] == passed_on


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Proxy-Authorization", WRONG)],
        [("Authorization", WRONG)],
        [("Authorization", "Basic")],
        [("Authorization", "Basic !")],
        [("Authorization", f"Bearer {RIGHT}")],
    ],
)
async def test_who_does_not_is_asked_for_it(origin: Origin, headers: list[tuple[str, str]]) -> None:
    async with asking(options=LOGIN) as app:
        reply = await app.get(lead(origin.url()), headers)
        assert reply.status == 401
        assert reply.headers["www-authenticate"] == 'Basic realm="headrace", charset="UTF-8"'
        assert (await app.get("/proxy.pac", headers)).status == 200
    assert origin.requests == []


# ---- the conversation


async def test_one_connection_for_many_requests(origin: Origin) -> None:
    async with asking() as app:
        for size in (0, 1, 70_000):
            reply = await app.get(lead(origin.url(f"/bytes/{size}")))
            assert (reply.status, reply.body) == (200, payload(size))
            assert (await app.get("/")).status == 200
    assert origin.connections == 1


async def test_an_old_client_gets_a_body_until_the_end(origin: Origin) -> None:
    async with asking() as app:
        app.writer.write(f"GET {lead(origin.url('/chunked/5000'))} HTTP/1.0\r\n".encode())
        app.writer.write(f"Host: 127.0.0.1:{app.port}\r\n\r\n".encode())
        head, _, body = (await app.rest()).partition(b"\r\n\r\n")
        assert body == payload(5000)
        assert b"transfer-encoding" not in head.lower()


@pytest.mark.parametrize(
    "request_",
    [b"GET http://127.0.0.1:1/ HTTP/1.1\r\nHost: x\r\n\r\n", b"CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n"],
)
async def test_requests_for_the_proxys_other_half_are_left_to_a_new_connection(request_: bytes) -> None:
    tunnel = MemoryTunnel()
    async with asking(tunnel) as app:
        await app.get("/")
        app.writer.write(request_)
        assert await app.rest() == b""
        assert tunnel.destinations == []


async def test_garbage_is_answered_and_ends_it() -> None:
    async with asking() as app:
        await app.get("/")
        app.writer.write(b"\x16\x03\x01 what?\r\n\r\n")
        answer = await app.rest()
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"connection: close" in answer


async def test_a_head_without_end_is_not_kept() -> None:
    async with asking() as app:
        app.writer.write(b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000)
        assert (await app.rest()).startswith(b"HTTP/1.1 400 ")


async def test_two_ways_to_end_are_refused() -> None:
    async with asking() as app:
        app.writer.write(
            f"POST {lead('http://127.0.0.1:1/')} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3\r\n"
            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode()
        )
        assert (await app.rest()).startswith(b"HTTP/1.1 400 ")


async def test_the_rest_of_a_refused_body_is_not_waited_for() -> None:
    async with asking() as app:
        app.begin("POST", "/", [("Content-Length", "1000000")])
        reply = await app.reply()
        assert (reply.status, reply.headers["connection"]) == (405, "close")
        assert await app.rest() == b""


async def test_a_half_closed_application_gets_its_answer(origin: Origin) -> None:
    async with asking() as app:
        app.begin("GET", lead(origin.url()))
        app.writer.write_eof()
        assert (await app.rest()).endswith(PAGE)


@pytest.mark.virtual_time
async def test_an_idle_connection_is_closed() -> None:
    async with asking() as app:
        await app.get("/")
        before = asyncio.get_running_loop().time()
        app.writer.write(b"GET / HT")
        assert await app.rest() == b""
        assert asyncio.get_running_loop().time() - before == pytest.approx(
            IDLE, abs=2 * local_pages.LAST_LOOK
        )


async def test_an_application_that_leaves_ends_what_it_asked_for() -> None:
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    begun = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        begun.set()
        heard.set_result(await reader.read())
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as origin, asking() as app:
        port = origin.sockets[0].getsockname()[1]
        app.begin("POST", lead(f"http://127.0.0.1:{port}/"), [("Content-Length", "8")])
        app.send(h11.Data(data=b"half"))
        await begun.wait()
        app.writer.close()
        assert await asyncio.wait_for(heard, 10) == b"half"


async def test_a_unix_socket_has_no_pages_and_is_no_place_to_lead_back_to(
    origin: Origin, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("s") / "http"
    async with MemoryTunnel() as tunnel:
        loop = asyncio.get_running_loop()
        server = await loop.create_unix_server(lambda: Door(tunnel, ProxyOptions()), path)
        try:
            for target, status in [
                ("/", 404),
                ("/proxy.pac", 404),
                (lead(origin.url("/x.m3u8"), "tunneled-rewrite", "?m3u8"), 404),
                (lead(origin.url()), 200),
            ]:
                reader, writer = await asyncio.open_unix_connection(path)
                app = Asking(0, reader, writer)
                assert (await app.get(target, [("Host", "whatever")])).status == status
                writer.transport.abort()
                await asyncio.gather(writer.wait_closed(), return_exceptions=True)
        finally:
            server.close()
