"""The URL proxy: what origins are asked, how far they may lead, and what comes of it."""

import asyncio
import gzip
import hashlib
import io
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import h11
import pytest
from tests.certificates import HERE, Authority
from tests.local_pages import Asking, asking, lead
from tests.memory_network import client_config, settle
from tests.web_server import Answer, Asked, Then, WebServer, response, serve

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.errors import ConnectRefused, ConnectTimeout, NameNotFound, NetworkError, Unreachable
from headrace.client import url_answer
from headrace.client.notices import Notices
from headrace.client.proxy_options import ProxyOptions
from headrace.client.split_tunnel import SplitTunnel
from headrace.client.url_paths import path_of
from headrace.client.url_proxy import MAX_REDIRECTS, RESPONSE_TIMEOUT
from headrace.net.http import direct
from headrace.net.streams import ByteStream
from headrace.net.tls import Trust
from headrace.ssh import numbers
from headrace.ssh.channel import Channel, Endpoint
from headrace.ssh.forwarding import Destination, Failure
from headrace.testing.loopback import LoopbackNetwork
from headrace.testing.memory_tunnel import MemoryTunnel
from headrace.testing.origin import PAGE, Origin, payload

pytestmark = pytest.mark.both_loops

MEDIA = b"#EXTM3U\n#EXTINF:6,\nseg/1.ts\n#EXTINF:6,\nhttps://b.example/2.ts\n"
MASTER = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow.m3u8?x=1\n"


@asynccontextmanager
async def answering(
    *answers: bytes | Callable[[int, Asked], bytes], then: Then = Then.GO_ON
) -> AsyncIterator[tuple[WebServer, int]]:
    """An origin with these answers, one a request, the last one for ever; its port."""
    turns = list(answers)

    def answer(asked: Asked) -> Answer:
        data = turns.pop(0) if len(turns) > 1 else turns[0]
        return Answer(data if isinstance(data, bytes) else data(port, asked), then)

    server = WebServer(answer)
    async with serve(server) as port:
        yield server, port


def redirect(location: str, status: int = 302) -> bytes:
    return response(status, b"moved", [("Location", location)])


# ---- what goes out and comes back


async def test_the_origin_hears_what_was_meant_for_it(origin: Origin) -> None:
    async with asking() as app:
        here = f"http://127.0.0.1:{app.port}"
        reply = await app.get(
            lead(origin.url("/head?a=%20b")),
            [
                ("Connection", "keep-alive, X-Secret"),
                ("X-Secret", "1"),
                ("Proxy-Connection", "keep-alive"),
                ("Proxy-Authorization", "Basic eDp5"),
                ("Referer", f"{here}/tunneled/other"),
                ("Origin", here),
                ("Cookie", "a=1"),
                ("Cookie", "b=2"),
                ("Authorization", "Bearer z"),
                ("Accept", "x/y"),
                ("Accept", "*/*"),
                ("Range", "bytes=0-"),
                ("Accept-Encoding", "br"),
            ],
        )
        assert json.loads(reply.body) == {
            "method": "GET",
            "target": "/head?a=%20b",
            "headers": [
                ["host", f"127.0.0.1:{origin.port}"],
                ["cookie", "a=1; b=2"],
                ["authorization", "Bearer z"],
                ["accept", "x/y, */*"],
                ["range", "bytes=0-"],
                ["accept-encoding", "br"],
            ],
        }


async def test_what_comes_back_is_the_origins_but_for_what_would_lead_elsewhere() -> None:
    answer = response(
        206,
        b"body",
        [
            ("Content-Type", "video/mp4"),
            ("Connection", "X-Private"),
            ("X-Private", "1"),
            ("Set-Cookie", "id=1; Domain=a.example"),
            ("Refresh", "0; url=http://evil.example/"),
            ("Alt-Svc", 'h2="evil.example:443"'),
            ("X-Public", "2"),
        ],
    )
    async with answering(answer) as (_, port), asking() as app:
        reply = await app.get(lead(f"http://127.0.0.1:{port}/"))
        assert (reply.status, reply.body) == (206, b"body")
        assert reply.headers == {
            "content-length": "4",
            "content-type": "video/mp4",
            "x-public": "2",
            "content-security-policy": "sandbox",
        }


@pytest.mark.parametrize("path", ["bytes", "chunked", "until-close"])
async def test_bodies_of_every_framing(origin: Origin, path: str) -> None:
    async with asking() as app:
        for _ in range(2):
            reply = await app.get(lead(origin.url(f"/{path}/300000")))
            assert reply.body == payload(300_000)
            assert ("content-length" in reply.headers) == (path == "bytes")


async def test_responses_without_a_body(origin: Origin) -> None:
    async with asking() as app:
        reply = await app.get(lead(origin.url("/bytes/1000")), method="HEAD")
        assert (reply.headers["content-length"], reply.body) == ("1000", b"")
        assert (await app.get(lead(origin.url("/empty")))).status == 204
        assert (await app.get(lead(origin.url()))).body == PAGE


@pytest.mark.parametrize("framing", [("Content-Length", "1000000"), ("Transfer-Encoding", "chunked")])
async def test_bodies_go_up(origin: Origin, framing: tuple[str, str]) -> None:
    body = payload(1_000_000)
    async with asking() as app:
        for _ in range(2):
            app.begin("POST", lead(origin.url("/sum")), [framing])
            for start in range(0, len(body), 99_999):
                app.send(h11.Data(data=body[start : start + 99_999]))
            app.send(h11.EndOfMessage())
            answer = json.loads((await app.reply()).body)
            assert answer == {"length": len(body), "sha256": hashlib.sha256(body).hexdigest()}


async def test_a_body_of_nothing_is_still_said_to_be_one(origin: Origin) -> None:
    async with asking() as app:
        reply = await app.get(lead(origin.url("/head")), [("Content-Length", "0")], method="POST")
        assert ["content-length", "0"] in json.loads(reply.body)["headers"]


async def test_who_waits_to_be_told_to_go_on_is_told(origin: Origin) -> None:
    async with asking() as app:
        app.begin("POST", lead(origin.url("/sum")), [("Content-Length", "3"), ("Expect", "100-continue")])
        assert isinstance(await app.event(), h11.InformationalResponse)
        app.send(h11.Data(data=b"abc"))
        app.send(h11.EndOfMessage())
        assert json.loads((await app.reply()).body)["length"] == 3


@pytest.mark.parametrize("framing", [b"Content-Length: 100", b"Transfer-Encoding: chunked"])
async def test_a_response_cut_short_is_never_made_to_look_whole(framing: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n3\r\nabc\r\n"
    async with answering(answer, then=Then.CLOSE) as (_, port), asking() as app:
        with pytest.raises((ConnectionError, h11.RemoteProtocolError)):
            await app.get(lead(f"http://127.0.0.1:{port}/"))


async def test_the_tunnel_and_the_way_past_it(origin: Origin) -> None:
    tunnel = MemoryTunnel()
    directly: list[tuple[str, int]] = []

    async def connect(host: str, port: int, timeout: float) -> ByteStream:
        directly.append((host, port))
        return await direct(host, port, timeout)

    tunnel.connect_directly = connect
    async with asking(tunnel) as app:
        assert (await app.get(lead(origin.url(), "direct"))).body == PAGE
        assert (directly, tunnel.destinations) == ([("127.0.0.1", origin.port)], [])
        for way in ("tunneled", "tunneled-rewrite", "tunneled-icy"):
            assert (await app.get(lead(origin.url(), way))).body == PAGE
        assert len(directly) == 1
        assert set(tunnel.destinations) == {Destination("127.0.0.1", origin.port)}


# ---- redirections


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirections_are_followed(origin: Origin, status: int) -> None:
    async with answering(redirect(origin.url("/head"), status)) as (_, port), asking() as app:
        reply = await app.get(lead(f"http://127.0.0.1:{port}/a"), [("Cookie", "a=b"), ("Accept", "x/y")])
        heard = json.loads(reply.body)
        assert heard["headers"] == [["host", f"127.0.0.1:{origin.port}"], ["accept", "x/y"]]  # no cookie
        assert "location" not in reply.headers


async def test_relative_ones_are_within_the_origin() -> None:
    async with answering(redirect("../b?c"), redirect("d"), response(200, b"there")) as (server, port):
        async with asking() as app:
            reply = await app.get(lead(f"http://127.0.0.1:{port}/x/y/z"), [("Cookie", "a=b")])
    assert (reply.status, reply.body) == (200, b"there")
    assert [asked.target for asked in server.asked] == ["/x/y/z", "/x/b?c", "/x/d"]
    assert [asked.header("Cookie") for asked in server.asked] == ["a=b"] * 3


async def test_no_cookie_is_kept_on_the_way() -> None:
    first = response(302, b"", [("Location", "/b"), ("Set-Cookie", "a=b; Path=/")])
    async with answering(first, response()) as (server, port), asking() as app:
        await app.get(lead(f"http://127.0.0.1:{port}/"))
    assert [asked.header("Cookie") for asked in server.asked] == [None, None]


@pytest.mark.parametrize("status", [301, 302, 303])
async def test_what_was_sent_is_not_sent_again(origin: Origin, status: int) -> None:
    async with answering(redirect(origin.url("/head"), status)) as (server, port), asking() as app:
        headers = [("Content-Length", "3"), ("Content-Type", "a/b"), ("X-Kept", "1")]
        app.begin("POST", lead(f"http://127.0.0.1:{port}/"), headers)
        app.send(h11.Data(data=b"abc"))
        app.send(h11.EndOfMessage())
        heard = json.loads((await app.reply()).body)
    assert server.asked[0].method == "POST"
    assert heard["method"] == "GET"
    assert heard["headers"] == [["host", f"127.0.0.1:{origin.port}"], ["x-kept", "1"]]


async def test_a_redirection_that_wants_the_body_again_leads_back_here(origin: Origin) -> None:
    async with answering(redirect(origin.url("/sum"), 307)) as (_, port), asking() as app:
        app.begin("POST", lead(f"http://127.0.0.1:{port}/"), [("Content-Length", "3")])
        app.send(h11.Data(data=b"abc"))
        app.send(h11.EndOfMessage())
        reply = await app.reply()
        assert reply.status == 307
        assert reply.headers["location"] == lead(origin.url("/sum"))


async def test_a_head_stays_a_head(origin: Origin) -> None:
    async with answering(redirect(origin.url(), 303)) as (_, port), asking() as app:
        assert (await app.get(lead(f"http://127.0.0.1:{port}/"), method="HEAD")).status == 200
    assert origin.requests == ["HEAD /"]


@pytest.mark.parametrize(("times", "status"), [(MAX_REDIRECTS, 200), (MAX_REDIRECTS + 1, 502)])
async def test_so_many_redirections_and_no_more(times: int, status: int) -> None:
    async with answering(*[redirect("/again")] * times, response()) as (server, port), asking() as app:
        assert (await app.get(lead(f"http://127.0.0.1:{port}/"))).status == status
    assert len(server.asked) == MAX_REDIRECTS + 1


@pytest.mark.parametrize(
    "location", ["ftp://a.example/", "https://:1/", "http://[::1", "javascript:alert(1)"]
)
async def test_redirections_to_nowhere(location: str) -> None:
    async with answering(redirect(location)) as (_, port), asking() as app:
        reply = await app.get(lead(f"http://127.0.0.1:{port}/"))
        assert (reply.status, reply.body) == (502, b"The server redirects to what cannot be fetched.\n")


# ---- https


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.mark.parametrize("way", ["tunneled", "direct"])
async def test_certificates_are_verified(authority: Authority, way: str) -> None:
    server = WebServer(lambda asked: Answer(response(200, b"secret")))
    async with serve(server, _context(authority, *HERE)) as port:
        url = lead(f"https://127.0.0.1:{port}/", way)
        async with asking(options=ProxyOptions(trust=Trust(authority.file, system=False))) as app:
            assert (await app.get(url)).body == b"secret"
        async with asking(options=ProxyOptions(trust=Trust())) as app:
            reply = await app.get(url)
            assert reply.status == 502
            assert b"certificate is not trusted" in reply.body
        async with asking(options=ProxyOptions(trust=Trust(system=False))) as app:
            reply = await app.get(url)
            assert (reply.status, len(server.asked)) == (502, 1)
            assert b"nothing to verify" in reply.body


async def test_from_https_nobody_is_led_to_http(authority: Authority, origin: Origin) -> None:
    server = WebServer(lambda asked: Answer(redirect(origin.url())))
    async with serve(server, _context(authority, *HERE)) as port:
        async with asking(options=ProxyOptions(trust=Trust(authority.file, system=False))) as app:
            assert (await app.get(lead(f"https://127.0.0.1:{port}/"))).status == 502
    assert origin.requests == []


async def test_a_client_trusts_whom_its_configuration_names(authority: Authority) -> None:
    trusted = {"TrustedCACertificatesFilename": str(authority.file), "DisableSystemRootCAs": True}
    server = WebServer(lambda asked: Answer(response(200, b"secret")))
    async with serve(server, _context(authority, *HERE)) as port, LoopbackNetwork(client=trusted) as network:
        reader, writer = await asyncio.open_connection("127.0.0.1", network.http_port)
        reply = await Asking(network.http_port, reader, writer).get(lead(f"https://localhost:{port}/"))
        assert (reply.status, reply.body) == (200, b"secret")
        writer.close()
        await writer.wait_closed()


def _context(authority: Authority, *names: str) -> ssl.SSLContext:
    certificate = authority.certify(*names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    return context


# ---- what goes wrong


class Refusing(MemoryTunnel):
    """A tunnel whose far end opens nothing."""

    def __init__(self, why: Failure) -> None:
        super().__init__()
        self._why = why

    def open_forward(self, destination: Destination, endpoint: Endpoint) -> Channel:
        channel = super().open_forward(destination, endpoint)
        endpoint.refused(self._why.reason, self._why.value)
        return channel


FAILURES = [
    (Failure.REFUSED, 502, b"The connection was refused at the far end.\n"),
    (Failure.UNREACHABLE, 502, b"The far end cannot be reached.\n"),
    (Failure.NO_SUCH_NAME, 502, b"There is no host of that name.\n"),
    (Failure.TIMED_OUT, 504, b"The far end did not answer in time.\n"),
    (Failure.FORBIDDEN, 403, b"The server does not permit connections to it.\n"),
    (Failure.FAILED, 502, b"The connection could not be made.\n"),
]


@pytest.mark.parametrize(("why", "status", "text"), FAILURES)
async def test_what_the_server_says_is_told(why: Failure, status: int, text: bytes) -> None:
    async with asking(Refusing(why)) as app:
        reply = await app.get(lead("http://a.example/"))
        assert (reply.status, reply.body) == (status, text)
        assert (await app.get("/")).status == 200


async def test_without_a_tunnel() -> None:
    tunnel = MemoryTunnel()
    tunnel.lose()
    async with asking(tunnel) as app:
        reply = await app.get(lead("http://a.example/"))
        assert (reply.status, reply.body) == (503, b"There is no tunnel at the moment.\n")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConnectRefused("refused"), 502),
        (Unreachable("no way"), 502),
        (NameNotFound("no such host"), 502),
        (ConnectTimeout("too slow"), 504),
        (NetworkError("something"), 502),
    ],
)
async def test_what_fails_past_the_tunnel(error: NetworkError, status: int) -> None:
    async def connect(host: str, port: int, timeout: float) -> ByteStream:
        raise error

    tunnel = MemoryTunnel()
    tunnel.connect_directly = connect
    async with asking(tunnel) as app:
        assert (await app.get(lead("http://a.example/", "direct"))).status == status


@pytest.mark.parametrize("answer", [b"", b"what?\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Le"])
async def test_origins_that_make_no_sense(answer: bytes) -> None:
    async with answering(answer, then=Then.CLOSE) as (_, port), asking() as app:
        assert (await app.get(lead(f"http://127.0.0.1:{port}/"))).status == 502


@pytest.mark.parametrize("target", ["/tunneled/http://a.example/", "/direct/ftp%3A%2F%2Fa.example%2F"])
async def test_urls_of_no_use(target: str) -> None:
    tunnel = MemoryTunnel()
    async with asking(tunnel) as app:
        assert (await app.get(target)).status == 400
        assert tunnel.destinations == []


async def test_a_body_that_breaks_off_is_not_made_whole(origin: Origin) -> None:
    async with asking() as app:
        app.begin("POST", lead(origin.url("/sum")), [("Transfer-Encoding", "chunked")])
        app.send(h11.Data(data=b"abc"))
        app.writer.write(b"no chunk\r\n")
        assert (await app.rest()).startswith(b"HTTP/1.1 502 ")


@pytest.mark.virtual_time
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_slow_answers_are_given_up(method: str) -> None:
    loop = asyncio.get_running_loop()
    async with answering(b"HTTP/1.1 200 OK\r\n") as (_, port), asking() as app:
        app.begin(method, lead(f"http://127.0.0.1:{port}/"), [("Content-Length", "3")][: method == "POST"])
        if method == "POST":
            await asyncio.sleep(RESPONSE_TIMEOUT * 2)  # what it takes to send counts for nothing
            app.send(h11.Data(data=b"abc"))
        app.send(h11.EndOfMessage())
        sent = loop.time()
        assert (await app.reply()).status == 504
        assert loop.time() - sent == pytest.approx(RESPONSE_TIMEOUT, abs=0.1)


# ---- split tunnelling


class Splitting(MemoryTunnel):
    """A tunnel whose far end sends everybody past it."""

    def open_forward(self, destination: Destination, endpoint: Endpoint) -> Channel:
        channel = super().open_forward(destination, endpoint)
        endpoint.refused(numbers.SPLIT_TUNNEL, "")
        return channel


@pytest.mark.parametrize(
    ("settings", "asked"),
    [({"SplitTunnelRegions": ["IR"]}, True), ({"SplitTunnelExcludedHosts": ["127.0.0.1"]}, False)],
)
async def test_split_tunnelling_counts_here_too(
    origin: Origin, settings: dict[str, list[str]], asked: bool
) -> None:
    out = io.StringIO()
    tunnel = Splitting()
    tunnel.split = SplitTunnel(client_config(**settings), Notices(out, SYSTEM_CLOCK), SYSTEM_CLOCK, direct)
    async with asking(tunnel) as app:
        assert (await app.get(lead(origin.url()))).body == PAGE
        await settle()
        assert bool(tunnel.destinations) == asked
    assert json.loads(out.getvalue())["data"] == {"address": f"127.0.0.1:{origin.port}"}


# ---- playlists


def rewritten(text: str, port: int, origin: int) -> bytes:
    site = f"http://127.0.0.1:{port}"
    return text.format(
        seg=site + path_of(f"http://127.0.0.1:{origin}/live/seg/1.ts"),
        other=site + path_of("https://b.example/2.ts"),
        low=site + path_of(f"http://127.0.0.1:{origin}/live/low.m3u8?x=1", playlist=True),
    ).encode()


MEDIA_REWRITTEN = "#EXTM3U\n#EXTINF:6,\n{seg}\n#EXTINF:6,\n{other}\n"
MASTER_REWRITTEN = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{low}\n"


@pytest.mark.parametrize("way", ["tunneled-rewrite", "tunneled-icy"])
@pytest.mark.parametrize(
    ("path", "headers", "data", "expected"),
    [
        ("/live/a.m3u8?t=1", [("Content-Type", "text/plain")], MEDIA, MEDIA_REWRITTEN),
        ("/live/A.M3U8", [], MASTER, MASTER_REWRITTEN),
        ("/live/list", [("Content-Type", "Application/X-MpegURL; charset=utf-8")], MEDIA, MEDIA_REWRITTEN),
        ("/live/list", [("Content-Type", "application/vnd.apple.mpegurl")], MASTER, MASTER_REWRITTEN),
        ("/live/a.m3u8", [("Content-Encoding", "gzip")], gzip.compress(MEDIA, mtime=0), MEDIA_REWRITTEN),
    ],
)
async def test_playlists_lead_back_here(
    way: str, path: str, headers: list[tuple[str, str]], data: bytes, expected: str
) -> None:
    async with answering(response(200, data, headers)) as (server, port), asking() as app:
        url = f"http://127.0.0.1:{port}{path}"
        reply = await app.get(lead(url, way, "?m3u8"), [("Accept-Encoding", "br")])
        assert reply.body == rewritten(expected, app.port, port)
        assert reply.headers["content-type"] == "application/x-mpegurl"
        assert reply.headers["content-length"] == str(len(reply.body))
        assert "content-encoding" not in reply.headers
    assert server.asked[0].header("Accept-Encoding") is None


async def test_relative_uris_are_relative_to_where_it_was_found() -> None:
    answers = (redirect("/live/a.m3u8"), response(200, MEDIA))
    async with answering(*answers) as (_, port), asking() as app:
        reply = await app.get(lead(f"http://127.0.0.1:{port}/x", "tunneled-rewrite", "?m3u8"))
        assert reply.body == rewritten(MEDIA_REWRITTEN, app.port, port)


@pytest.mark.parametrize(
    ("target", "status", "headers", "data"),
    [
        (("/a.m3u8", "tunneled-rewrite", ""), 200, [], MEDIA),
        (("/a.m3u8", "tunneled", "?m3u8"), 200, [], MEDIA),
        (("/a.ts", "tunneled-rewrite", "?m3u8"), 200, [("Content-Type", "video/mp2t")], MEDIA),
        (("/a.m3u8", "tunneled-rewrite", "?m3u8"), 404, [], MEDIA),
        (("/a.m3u8", "tunneled-rewrite", "?m3u8"), 200, [], b"<html>no playlist"),
        (("/a.m3u8", "tunneled-rewrite", "?m3u8"), 200, [], b"\xff\xfe"),
        (("/a.m3u8", "tunneled-rewrite", "?m3u8"), 200, [("Content-Encoding", "br")], MEDIA),
        (("/a.m3u8", "tunneled-rewrite", "?m3u8"), 200, [("Content-Encoding", "gzip")], MEDIA),
        (
            ("/a.m3u8", "tunneled-rewrite", "?m3u8"),
            200,
            [("Content-Encoding", "gzip")],
            gzip.compress(MEDIA, mtime=0)[:-9],
        ),
    ],
    ids=["no key", "no rewriting", "no list", "no success", "page", "bytes", "br", "not packed", "cut"],
)
async def test_everything_else_passes_untouched(
    target: tuple[str, str, str], status: int, headers: list[tuple[str, str]], data: bytes
) -> None:
    path, way, keys = target
    async with answering(response(status, data, headers)) as (_, port), asking() as app:
        reply = await app.get(lead(f"http://127.0.0.1:{port}{path}", way, keys))
        assert (reply.status, reply.body) == (status, data)
        assert reply.headers["content-length"] == str(len(data))


@pytest.mark.parametrize("packed", [False, True])
async def test_a_long_playlist_passes_untouched(monkeypatch: pytest.MonkeyPatch, packed: bool) -> None:
    monkeypatch.setattr(url_answer, "MAX_PLAYLIST", 1000)
    text = MEDIA + b"\n" * 300_000
    data, headers = (gzip.compress(text, mtime=0), [("Content-Encoding", "gzip")]) if packed else (text, [])
    async with answering(response(200, data, headers)) as (_, port), asking() as app:
        reply = await app.get(lead(f"http://127.0.0.1:{port}/a.m3u8", "tunneled-rewrite", "?m3u8"))
        assert reply.body == data


async def test_the_head_of_a_playlist() -> None:
    async with answering(response(200, b"", length=100)) as (_, port), asking() as app:
        target = lead(f"http://127.0.0.1:{port}/a.m3u8", "tunneled-rewrite", "?m3u8")
        assert (await app.get(target, method="HEAD")).headers["content-length"] == "100"


# ---- SHOUTcast


@pytest.mark.parametrize("target", ["tunneled-icy", "tunneled"])
async def test_a_radio_station(target: str) -> None:
    answer = b"ICY 200 OK\r\nicy-name: Radio\r\nContent-Type: audio/mpeg\r\n\r\n" + payload(100_000)
    async with answering(answer, then=Then.CLOSE) as (server, port), asking() as app:
        app.begin("GET", lead(f"http://127.0.0.1:{port}/;stream", target), [("Icy-MetaData", "1")])
        app.send(h11.EndOfMessage())
        if target == "tunneled":
            assert (await app.reply()).status == 502
            return
        head, _, body = (await app.rest()).partition(b"\r\n\r\n")
    assert body == payload(100_000)
    assert head.split(b"\r\n") == [
        b"ICY 200 OK",
        b"icy-name: Radio",
        b"content-type: audio/mpeg",
        b"content-security-policy: sandbox",
    ]
    assert server.asked[0].header("Icy-MetaData") == "1"


async def test_a_station_that_speaks_http(origin: Origin) -> None:
    async with asking() as app:
        for _ in range(2):
            assert (await app.get(lead(origin.url(), "tunneled-icy"))).body == PAGE
