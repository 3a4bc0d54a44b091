"""What web pages, neighbours and origins try with the URL proxy and the other pages of the HTTP proxy."""

import asyncio
import gzip
import json

import h11
import pytest
from tests.local_pages import Asking, asking, lead
from tests.web_server import Answer, WebServer, response, serve

from headrace.client.proxy_options import ProxyOptions
from headrace.net.streams import ByteStream
from headrace.testing.loopback import LoopbackNetwork
from headrace.testing.memory_tunnel import MemoryTunnel
from headrace.testing.origin import PAGE, Origin

#: What a web page makes a browser send along, and what it cannot keep it from sending.
PAGES = [
    [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors")],
    [("Sec-Fetch-Site", "same-site")],
    [("Origin", "http://evil.example")],
    [("Origin", "null")],
    [("Referer", "http://evil.example/page")],
    [("Origin", "http://127.0.0.1:3000"), ("Referer", "http://127.0.0.1:3000/")],
]
#: Names that lead here without being ours.
REBOUND = ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example:8080"]


def targets(origin: Origin) -> list[str]:
    ways = ("tunneled", "direct", "tunneled-rewrite", "tunneled-icy")
    return ["/", "/proxy.pac", *(lead(origin.url(), way, "?m3u8") for way in ways)]


@pytest.mark.parametrize("headers", PAGES)
async def test_a_web_page_opens_nothing_and_learns_nothing(
    origin: Origin, headers: list[tuple[str, str]]
) -> None:
    tunnel = MemoryTunnel()
    async with asking(tunnel) as app:
        for target in targets(origin):
            for method in ("GET", "HEAD", "OPTIONS"):
                reply = await app.get(target, headers, method=method)
                assert reply.status == 403
                assert not [name for name in reply.headers if name.startswith("access-control")]
        assert tunnel.destinations == []
    assert origin.requests == []


@pytest.mark.parametrize("host", REBOUND)
async def test_a_name_that_was_rebound_to_this_machine(origin: Origin, host: str) -> None:
    tunnel = MemoryTunnel()
    async with asking(tunnel) as app:
        for target in targets(origin):
            headers = [("Host", host), ("Sec-Fetch-Site", "same-origin"), ("Origin", f"http://{host}")]
            assert (await app.get(target, headers)).status == 403
        assert tunnel.destinations == []
    assert origin.requests == []


async def test_the_same_at_the_whole_client() -> None:
    async with LoopbackNetwork() as network:
        target = lead(network.origin.url())
        for headers, status in [([], 200), ([("Origin", "null")], 403), ([("Host", "evil.example")], 403)]:
            reader, writer = await asyncio.open_connection("127.0.0.1", network.http_port)
            reply = await Asking(network.http_port, reader, writer).get(target, headers)
            assert (reply.status, reply.body == PAGE) == (status, status == 200)
            writer.close()
            await writer.wait_closed()
        told = network.log + json.dumps(network.notices)
        assert "tunneled/" not in told and str(network.origin.port) not in told


async def test_on_a_shared_proxy_nobody_goes_past_the_tunnel(origin: Origin) -> None:
    async with asking(options=ProxyOptions(shared=True)) as app:
        assert (await app.get(lead(origin.url(), "direct"))).status == 403
        assert origin.requests == []
        assert (await app.get(lead(origin.url()))).body == PAGE


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.1:25/_HELO",
        "http:///etc/passwd",
        "http://127.0.0.1\r\nHost: evil.example/",
        "http://a b/",
        "//127.0.0.1/",
        "http://user@127.0.0.1/",
        "unix:/run/socket",
    ],
)
async def test_only_the_web_is_fetched(url: str) -> None:
    tunnel = MemoryTunnel()
    async with asking(tunnel) as app:
        for way in ("tunneled", "direct"):
            assert (await app.get(lead(url, way))).status == 400
        assert tunnel.destinations == []


async def test_nothing_in_a_url_reaches_into_the_request(origin: Origin) -> None:
    async with asking() as app:
        reply = await app.get(lead(origin.url("/head?\r\nX-Injected: 1\r\n\r\nGET /second HTTP/1.1")))
    assert [name for name, _ in json.loads(reply.body)["headers"]] == ["host"]
    assert origin.requests == ["GET /head?%0D%0AX-Injected:%201%0D%0A%0D%0AGET%20/second%20HTTP/1.1"]


@pytest.mark.parametrize(
    "framing",
    [
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Content-Length: 3\r\nContent-Length: 4",
        "Content-Length: +3",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: xchunked",
    ],
)
async def test_no_second_request_is_smuggled(origin: Origin, framing: str) -> None:
    async with asking() as app:
        app.writer.write(
            f"POST {lead(origin.url('/sum'))} HTTP/1.1\r\nHost: 127.0.0.1:{app.port}\r\n{framing}\r\n\r\n"
            f"0\r\n\r\nGET {lead(origin.url('/smuggled'))} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        )
        answer = await app.rest()
        assert answer.count(b"HTTP/1.1 ") == 1
        assert answer.split()[1] in (b"400", b"501")
    assert origin.requests == []


async def test_a_page_of_an_origin_is_nobodys(origin: Origin) -> None:
    """Of all origins the browser sees one site: what they send may neither run nor leave anything there."""
    answer = response(
        200, b"<script>", [("Content-Type", "text/html"), ("Set-Cookie", "a=b"), ("Set-Cookie2", "c=d")]
    )
    server = WebServer(lambda asked: Answer(answer))
    async with serve(server) as port, asking() as app:
        reply = await app.get(lead(f"http://127.0.0.1:{port}/"))
        assert reply.headers["content-security-policy"] == "sandbox"
        assert not {"set-cookie", "set-cookie2"} & reply.headers.keys()
        assert (await app.get("/")).headers["content-security-policy"] == "sandbox"


async def test_a_redirection_never_leads_past_the_tunnel() -> None:
    tunnel = MemoryTunnel()

    async def connect(host: str, port: int, timeout: float) -> ByteStream:
        raise AssertionError("past the tunnel")

    tunnel.connect_directly = connect
    turns = iter(
        [
            response(302, b"", [("Location", "//127.0.0.1:1/")]),
            response(307, b"", [("Location", "http://evil.example/")]),
            response(201, b"", [("Location", "http://evil.example/")]),
        ]
    )
    server = WebServer(lambda asked: Answer(next(turns)))
    async with serve(server) as port, asking(tunnel) as app:
        target = lead(f"http://127.0.0.1:{port}/")
        assert (await app.get(target)).status == 502
        for status in (307, 201):
            app.begin("POST", target, [("Transfer-Encoding", "chunked")])
            app.writer.write(b"0\r\n\r\n")
            answer = await app.reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 %d " % status)
            assert b"\nlocation: /tunneled/http%3A%2F%2Fevil.example%2F\r\n" in answer
            app.http = h11.Connection(h11.CLIENT)


async def test_a_packed_playlist_is_not_unpacked_without_end() -> None:
    bomb = gzip.compress(b"#EXTM3U\n#EXTINF:1,\n" + b"\n" * 100_000_000, 9)
    answer = response(200, bomb, [("Content-Encoding", "gzip")])
    server = WebServer(lambda asked: Answer(answer))
    async with serve(server) as port, asking() as app:
        reply = await app.get(lead(f"http://127.0.0.1:{port}/a.m3u8", "tunneled-rewrite", "?m3u8"))
        assert reply.body == bomb
