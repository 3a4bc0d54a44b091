"""Our own requests: exactly what was asked for goes out, whatever comes back, and nothing is left open."""

import asyncio
import gc
import logging
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.certificates import Authority
from tests.memory_network import HANGS, Destination, Network, settle
from tests.web_server import Answer, Asked, Then, WebServer, response, serve

from headrace.base.errors import (
    ConnectTimeout,
    DocumentError,
    HeadraceError,
    NetworkError,
    RemoteProtocolError,
)
from headrace.net import http_transport
from headrace.net.http import CONNECT_TIMEOUT, MAX_REDIRECTS, HttpClient, Target, direct, split_url, through
from headrace.net.tls import Trust
from headrace.ssh.channel import Channel, Endpoint
from headrace.testing.censor import CLOSE, Censor, Rule
from headrace.testing.memory_tunnel import MemoryTunnel

assert http_transport  # loaded here: on virtual time there is no waiting for a thread

URL = "http://list.example/web/abcd-efgh-ijkl/server_list"
PLACE = ("list.example", 80)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    return Network.install(monkeypatch)


async def fetch(client: HttpClient, url: str = URL, **headers: str) -> tuple[int, bytes]:
    async with client.request("GET", url, headers) as answer:
        return answer.status_code, b"".join([piece async for piece in answer.aiter_raw()])


def always(data: bytes, then: Then = Then.GO_ON) -> Callable[[Asked], Answer]:
    return lambda asked: Answer(data, then)


def replies(network: Network, *answers: bytes | Answer, place: tuple[str, int] = PLACE) -> WebServer:
    """Have these answers given at a place in the network, one a request."""
    turns = iter(answers)

    def answer(asked: Asked) -> Answer:
        data = next(turns)
        return data if isinstance(data, Answer) else Answer(data)

    server = WebServer(answer)
    network.places[place] = server
    return server


# ---- what goes out ----------------------------------------------------------------------------------------


@pytest.mark.virtual_time
@pytest.mark.parametrize(
    ("url", "first_lines"),
    [
        (URL, b"GET /web/abcd-efgh-ijkl/server_list HTTP/1.1\r\nHost: list.example\r\n"),
        ("HTTP://list.example:80", b"GET / HTTP/1.1\r\nHost: list.example\r\n"),
        ("http://list.example:8080/a", b"GET /a HTTP/1.1\r\nHost: list.example:8080\r\n"),
        ("http://list.example?q=1/2#top", b"GET /?q=1/2 HTTP/1.1\r\nHost: list.example\r\n"),
        (
            "http://list.example/a/../b//c/./%7e%2F%zz+{|}\\^`\"<>[]'?x=%20&y=a b#f",
            b"GET /a/../b//c/./%7e%2F%zz+{|}\\^`\"<>[]'?x=%20&y=a%20b HTTP/1.1\r\nHost: list.example\r\n",
        ),
        ("http://list.example/l\u00ebst", b"GET /l%C3%ABst HTTP/1.1\r\nHost: list.example\r\n"),
        ("http://[2001:db8::1]/a", b"GET /a HTTP/1.1\r\nHost: [2001:db8::1]\r\n"),
    ],
)
async def test_a_request_to_the_byte(network: Network, url: str, first_lines: bytes) -> None:
    origin = Destination()
    for host in ("list.example", "2001:db8::1"):
        for port in (80, 8080):
            network.places[host, port] = lambda: origin
    async with HttpClient(direct) as client:
        asking = asyncio.create_task(fetch(client, url, **{"User-Agent": "x/1 (y z)", "Range": "bytes=0-"}))
        await settle()
        assert origin.received == first_lines + b"User-Agent: x/1 (y z)\r\nRange: bytes=0-\r\n\r\n"
        origin.send(response(200, b"body"))
        assert await asking == (200, b"body")
    await settle()
    assert origin.finished


@pytest.mark.virtual_time
async def test_a_body_may_be_sent(network: Network) -> None:
    origin = Destination()
    network.places[PLACE] = lambda: origin

    async def put(client: HttpClient) -> int:
        async with client.request("PUT", URL, {"X-A": "b"}, content=b"feedback") as answer:
            return answer.status_code

    async with HttpClient(direct) as client:
        asking = asyncio.create_task(put(client))
        await settle()
        expected = b"X-A: b\r\nContent-Length: 8\r\n\r\nfeedback"
        assert origin.received.endswith(expected)
        origin.send(response(201))
        assert await asking == 201


@pytest.mark.virtual_time
async def test_an_answer_that_comes_before_the_body_is_sent_counts(network: Network) -> None:
    origin = Destination()
    network.places[PLACE] = lambda: origin

    async def pieces() -> AsyncIterator[bytes]:
        origin.send(response(413, b"too much"))
        yield b"one"
        await settle()
        network.wires[1].abort()
        await settle()
        yield b"two"

    async with HttpClient(direct) as client:
        async with client.request("POST", URL, {"Transfer-Encoding": "chunked"}, content=pieces()) as answer:
            assert answer.status_code == 413


@pytest.mark.virtual_time
async def test_the_environment_has_no_part_in_it(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://proxy.example:8080")
        monkeypatch.setenv(name.upper(), "http://proxy.example:8080")
    replies(network, response(200, b"body"))
    async with HttpClient(direct) as client:
        assert await fetch(client) == (200, b"body")
    assert network.dialled == [PLACE]


@pytest.mark.virtual_time
async def test_no_cookie_is_kept(network: Network) -> None:
    baked = response(200, b"", [("Set-Cookie", "a=b; Domain=list.example; Path=/")])
    server = replies(network, baked, response(200))
    async with HttpClient(direct) as client:
        await fetch(client)
        await fetch(client)
    assert [asked.headers for asked in server.asked] == [[("Host", "list.example")]] * 2


@pytest.mark.virtual_time
async def test_nothing_is_unpacked(network: Network) -> None:
    replies(network, response(200, b"\x1f\x8b not gzip", [("Content-Encoding", "gzip")]))
    async with HttpClient(direct) as client:
        assert await fetch(client) == (200, b"\x1f\x8b not gzip")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("ftp://list.example/", "begin with http"),
        ("list.example/secret", "begin with http"),
        ("", "begin with http"),
        ("file:///secret", "begin with http"),
        ("http://ann:secret@list.example/", "user name"),
        ("http:///secret", "host and port"),
        ("http://secret:port/", "host and port"),
        ("http://secret:0/", "host and port"),
        ("http://secret:99999/", "host and port"),
        ("http://[secret/", "host and port"),
        ("http://sec ret/", "host and port"),
        ("http://sec\r\nret/", "host and port"),
        ("http://" + "secret." * 20_000 + "x/", "cannot be sent"),
        ("http://xn--secret-\u2603.example/", "cannot be sent"),
    ],
)
async def test_urls_that_cannot_be_used(url: str, problem: str) -> None:
    async with HttpClient(direct) as client:
        with pytest.raises(DocumentError, match=problem) as caught:
            await fetch(client, url)
    assert "secret" not in str(caught.value)


def test_a_url_cut_in_two() -> None:
    assert split_url("HTTPS://Host:1/a?b/#c") == Target("https://Host:1", b"/a?b/")
    assert split_url("https://h").secure
    assert not split_url("http://h").secure


@pytest.mark.virtual_time
@pytest.mark.parametrize("headers", [{"X-A": "b\r\nX-C: secret"}, {"X A": "secret"}, {"X-A": "\u2603secret"}])
async def test_headers_that_cannot_be_sent(network: Network, headers: dict[str, str]) -> None:
    server = replies(network)
    async with HttpClient(direct) as client:
        with pytest.raises(DocumentError, match="cannot be sent") as caught:
            await fetch(client, **headers)
    assert "secret" not in str(caught.value)
    assert server.asked == []


# ---- what comes back --------------------------------------------------------------------------------------

CHUNKS = b"2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nT: x\r\n\r\n"
CUT, NOT_HTTP = "cut short", "not HTTP as it should be"


@pytest.mark.virtual_time
@pytest.mark.parametrize(
    ("data", "error", "text"),
    [
        (b"", NetworkError, CUT),
        (b"HTTP/1.1 200", NetworkError, CUT),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", NetworkError, CUT),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhell", NetworkError, CUT),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", NetworkError, CUT),
        (b"SSH-2.0-secret.example\r\n\r\n", RemoteProtocolError, NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\nsecret.example\r\n\r\n", RemoteProtocolError, NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\nContent-Length: secret\r\n\r\n", RemoteProtocolError, NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", RemoteProtocolError, NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nsecret\r\n", RemoteProtocolError, NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000, RemoteProtocolError, NOT_HTTP),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000, RemoteProtocolError, NOT_HTTP),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", RemoteProtocolError, NOT_HTTP),
    ],
)
async def test_answers_that_are_none(
    network: Network, data: bytes, error: type[HeadraceError], text: str
) -> None:
    replies(network, Answer(data, Then.CLOSE))
    async with HttpClient(direct) as client:
        with pytest.raises(error, match=text) as caught:
            await fetch(client)
    assert "secret" not in str(caught.value)
    assert "example" not in str(caught.value)
    await settle()
    assert network.open == []


@pytest.mark.virtual_time
@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and what follows",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 99\r\n\r\n" + CHUNKS,
        b"HTTP/1.1 200 OK\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\n\r\nhello",
        b"HTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/1.1 200\r\nContent-Length:5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
        b"HTTP/1.1 200 \xff\xfe\r\nX-\x7e: \xff\x80\r\nX:\r\nContent-Length: 5\r\n\r\nhello",
    ],
    ids=["length", "chunked", "until the end", "1.0", "informational", "bare newlines", "odd bytes"],
)
async def test_answers_of_every_form(network: Network, data: bytes) -> None:
    replies(network, Answer(data, Then.CLOSE))
    async with HttpClient(direct) as client:
        assert await fetch(client) == (200, b"hello")


@pytest.mark.virtual_time
async def test_a_server_that_only_ever_announces_its_answer(network: Network) -> None:
    origin = Destination()
    network.places[PLACE] = lambda: origin
    processing = b"HTTP/1.1 102 Processing\r\n\r\n"
    async with HttpClient(direct) as client:
        asking = asyncio.create_task(fetch(client))
        await settle()
        origin.send(processing * (2 * http_transport.MAX_HEADS // len(processing)))
        with pytest.raises(RemoteProtocolError, match="no answer"):
            async with asyncio.timeout(10):
                await asking
    await settle()
    assert origin.finished


@pytest.mark.virtual_time
async def test_a_reset_in_the_middle(network: Network) -> None:
    replies(network, Answer(response(200, b"hello", length=9), Then.GO_ON))
    async with HttpClient(direct) as client:
        with pytest.raises(NetworkError):
            async with client.request("GET", URL, {}) as answer:
                async for piece in answer.aiter_raw():
                    assert piece == b"hello"
                    network.open[0].abort()


# ---- connections ------------------------------------------------------------------------------------------


@pytest.mark.virtual_time
async def test_a_connection_serves_again(network: Network) -> None:
    replies(network, *[response(200, b"body")] * 3)
    async with HttpClient(direct) as client:
        for _ in range(3):
            assert await fetch(client) == (200, b"body")
    assert len(network.dialled) == 1
    await settle()
    assert network.open == []


@pytest.mark.virtual_time
async def test_a_connection_the_server_has_closed_is_replaced(network: Network) -> None:
    replies(network, Answer(response(200, b"body"), Then.CLOSE), response(200, b"body"))
    async with HttpClient(direct) as client:
        for _ in range(2):
            assert await fetch(client) == (200, b"body")
            await settle()
    assert len(network.dialled) == 2
    await settle()
    assert network.open == []


@pytest.mark.virtual_time
async def test_a_body_not_read_closes_its_connection(network: Network) -> None:
    replies(network, response(200, bytes(1_000_000)), response(200, b"body"))
    async with HttpClient(direct) as client:
        async with client.request("GET", URL, {}) as answer:
            assert answer.status_code == 200
        assert await fetch(client) == (200, b"body")
    assert len(network.dialled) == 2


@pytest.mark.virtual_time
async def test_a_client_may_be_closed_and_used_again(network: Network) -> None:
    replies(network, *[response(200, b"body")] * 2)
    client = HttpClient(direct)
    for _ in range(2):
        assert await fetch(client) == (200, b"body")
        await client.close()
        await client.close()
    assert len(network.dialled) == 2


@pytest.mark.virtual_time
async def test_two_at_once(network: Network) -> None:
    replies(network, *[response(200, b"body")] * 5)
    async with HttpClient(direct) as client:
        assert await asyncio.gather(*(fetch(client) for _ in range(5))) == [(200, b"body")] * 5


@pytest.mark.virtual_time
async def test_what_cannot_be_reached(network: Network) -> None:
    async with HttpClient(direct) as client:
        with pytest.raises(NetworkError, match=r"^Connection refused$"):
            await fetch(client)
        network.places[PLACE] = HANGS
        begun = asyncio.get_running_loop().time()
        with pytest.raises(ConnectTimeout):
            await fetch(client)
        assert asyncio.get_running_loop().time() - begun == CONNECT_TIMEOUT


@pytest.mark.virtual_time
async def test_a_server_that_never_begins_tls(network: Network) -> None:
    network.places["list.example", 443] = Destination
    async with HttpClient(direct, Trust(system=False)) as client:
        with pytest.raises(ConnectTimeout, match="no TLS within 15 s"):
            await fetch(client, URL.replace("http:", "https:"))
    await settle()
    assert network.wires[0].lost


@pytest.mark.virtual_time
async def test_called_off_anywhere(network: Network) -> None:
    """A server that falls silent; whoever waits for it gives up and leaves nothing behind."""
    for data in (b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"):
        network.places[PLACE] = WebServer(always(data))
        async with HttpClient(direct) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(30):
                    await fetch(client)
            await settle()
            assert network.open == []


@pytest.mark.virtual_time
async def test_a_request_called_off_at_every_step(network: Network) -> None:
    for steps in range(40):
        replies(network, response(200, b"body"))
        client = HttpClient(direct)
        task = asyncio.create_task(fetch(client))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        await client.close()
        await settle()
        assert network.open == []
    assert outcome == (200, b"body")
    gc.collect()  # nothing complains about having been left behind


# ---- redirections -----------------------------------------------------------------------------------------


def redirect(location: str, status: int = 302) -> bytes:
    return response(status, b"moved", [("Location", location)])


@pytest.mark.virtual_time
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "place", "target"),
    [
        ("/else%2fwhere?a=b", PLACE, "/else%2fwhere?a=b"),
        ("other", PLACE, "/web/abcd-efgh-ijkl/other"),
        ("http://other.example:81/x", ("other.example", 81), "/x"),
        ("//other.example/x", ("other.example", 80), "/x"),
    ],
)
async def test_redirections_are_followed(
    network: Network, status: int, location: str, place: tuple[str, int], target: str
) -> None:
    first = replies(network, redirect(location, status), response(200, b"body"))
    if place != PLACE:
        network.places[place] = first
    async with HttpClient(direct) as client:
        assert await fetch(client, Range="bytes=0-") == (200, b"body")
    last = first.asked[-1]
    assert (last.target, last.header("Range")) == (target, "bytes=0-")
    assert network.dialled[-1] == place


@pytest.mark.virtual_time
async def test_extra_headers_are_for_the_first_origin_only(network: Network) -> None:
    server = replies(network, redirect("/here"), redirect("http://other.example/"), response(200))
    network.places["other.example", 80] = server
    async with (
        HttpClient(direct) as client,
        client.request("GET", URL, {"A": "b"}, extra_headers={"X-Token": "secret"}),
    ):
        pass
    assert [asked.header("X-Token") for asked in server.asked] == ["secret", "secret", None]
    assert [asked.header("A") for asked in server.asked] == ["b"] * 3


@pytest.mark.virtual_time
@pytest.mark.parametrize("endless", [True, False])
async def test_a_few_redirections_and_no_more(network: Network, endless: bool) -> None:
    answers = [redirect(f"/{number}") for number in range(MAX_REDIRECTS)]
    server = replies(network, *answers, *[redirect("/again")] * endless, response(200, b"body"))
    async with HttpClient(direct) as client:
        if endless:
            with pytest.raises(RemoteProtocolError, match="redirects again and again"):
                await fetch(client)
        else:
            assert await fetch(client) == (200, b"body")
    assert len(server.asked) == 1 + MAX_REDIRECTS


@pytest.mark.virtual_time
@pytest.mark.parametrize(
    "location",
    ["ftp://secret/", "http://secret:port/", "http://[", "javascript:secret", "http://u:secret@h/", ""],
)
async def test_redirections_to_nowhere(network: Network, location: str) -> None:
    replies(network, redirect(location), *[redirect(location)] * MAX_REDIRECTS)
    async with HttpClient(direct) as client:
        with pytest.raises(RemoteProtocolError, match="redirects") as caught:
            await fetch(client)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("host", ["a..b", ".b", 64 * "a", "xn--"])
async def test_hosts_that_cannot_be_looked_up(host: str) -> None:
    async with HttpClient(direct) as client:
        with pytest.raises((NetworkError, DocumentError)):
            await fetch(client, f"https://{host}/")


@pytest.mark.virtual_time
async def test_a_redirection_without_a_place_is_an_answer(network: Network) -> None:
    replies(network, response(302, b"where?"))
    async with HttpClient(direct) as client:
        assert await fetch(client) == (302, b"where?")


# ---- TLS --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def context(authority: Authority) -> ssl.SSLContext:
    certificate = authority.certify("localhost", "127.0.0.1")
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate.chain, certificate.key)
    return made


@pytest.mark.both_loops
async def test_https(context: ssl.SSLContext, authority: Authority) -> None:
    body = bytes(range(256)) * 4000
    server = WebServer(always(response(200, body)))
    async with (
        serve(server, context) as port,
        HttpClient(direct, Trust(authority.file, system=False)) as client,
    ):
        for host in ("localhost", "127.0.0.1"):
            for _ in range(2):
                assert await fetch(client, f"https://{host}:{port}/") == (200, body)
        assert server.connections == 2
        assert server.asked[0].headers == [("Host", f"localhost:{port}")]


@pytest.mark.both_loops
async def test_whether_a_certificate_is_verified_is_the_requests_choice(context: ssl.SSLContext) -> None:
    server = WebServer(always(response(200, b"body")))
    async with serve(server, context) as port, HttpClient(direct) as client:
        url = f"https://localhost:{port}/"
        for _ in range(2):  # one that was let pass is not used by those who look
            with pytest.raises(NetworkError, match="not trusted"):
                await fetch(client, url)
            async with client.request("GET", url, {}, verify=False) as answer:
                assert answer.status_code == 200
    assert len(server.asked) == 2


async def test_https_is_not_left_for_http(context: ssl.SSLContext, authority: Authority) -> None:
    server = WebServer(always(redirect("http://localhost:1/secret")))
    async with (
        serve(server, context) as port,
        HttpClient(direct, Trust(authority.file, system=False)) as client,
    ):
        with pytest.raises(RemoteProtocolError, match="from https to http"):
            await fetch(client, f"https://localhost:{port}/")


async def test_http_may_be_left_for_https(context: ssl.SSLContext, authority: Authority) -> None:
    async with serve(WebServer(always(response(200, b"body"))), context) as secure:
        server = WebServer(always(redirect(f"https://localhost:{secure}/")))
        async with serve(server) as port, HttpClient(direct, Trust(authority.file)) as client:
            assert await fetch(client, f"http://localhost:{port}/") == (200, b"body")


@pytest.mark.both_loops
async def test_an_end_without_goodbye_is_no_end(context: ssl.SSLContext, authority: Authority) -> None:
    """Where the connection's end is the body's end, only TLS can tell whether somebody cut it."""
    server = WebServer(always(b"HTTP/1.1 200 OK\r\n\r\nhello", Then.CLOSE))
    trust = Trust(authority.file, system=False)
    async with (
        serve(server, context) as port,
        Censor(port) as censor,
        HttpClient(direct, trust) as client,
    ):
        url = f"https://localhost:{censor.port}/"
        assert await fetch(client, url) == (200, b"hello")
        await client.close()
        await censor.connections[0].ended.wait()
        # The goodbye has 24 bytes; what goes before it is not always of one length.
        censor.decree([Rule(CLOSE, down=censor.down - 12)])
        with pytest.raises(NetworkError, match="cut short"):
            await fetch(client, url)


# ---- through the tunnel -----------------------------------------------------------------------------------


async def test_through_a_tunnel() -> None:
    server = WebServer(always(response(200, bytes(500_000))))
    async with serve(server) as port, MemoryTunnel() as tunnel:

        def open_channel(kind: bytes, extra: bytes, endpoint: Endpoint) -> Channel:
            connection = tunnel._pair.client.connection
            if connection is None:
                raise NetworkError("the tunnel is gone")
            return connection.open(kind, extra, endpoint)

        async with HttpClient(through(open_channel)) as client:
            assert await fetch(client, f"http://127.0.0.1:{port}/") == (200, bytes(500_000))
            assert [(place.host, place.port) for place in tunnel.destinations] == [("127.0.0.1", port)]
            tunnel.lose()
            with pytest.raises(NetworkError, match="the tunnel is gone"):
                await fetch(client, f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize("host", ["x" * 256, ""])
async def test_a_tunnel_is_not_asked_for_what_cannot_be(host: str) -> None:
    def never(kind: bytes, extra: bytes, endpoint: object) -> None:
        raise AssertionError

    with pytest.raises(NetworkError, match="no host has such an address"):
        await through(never)(host, 443, 5)  # type: ignore[arg-type]


# ---- loading ----------------------------------------------------------------------------------------------


def in_a_process(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_client_starts_without_httpx() -> None:
    modules = "import sys, headrace.client.controller, headrace.net.fetch, headrace.net.upstream_proxy\n"
    told = "print([name for name in sys.modules if name.startswith(('httpx', 'httpcore'))])"
    assert in_a_process(modules + told) == "[]"


async def test_the_loop_goes_on_while_httpx_loads(tmp_path: Path) -> None:
    longest = in_a_process(
        "import asyncio, time\n"
        "from headrace.base.errors import NetworkError\n"
        "from headrace.net.http import HttpClient\n"
        "async def refuse(*_):\n    raise NetworkError('refused')\n"
        "async def main():\n"
        "    async def ask():\n"
        "        try:\n"
        "            async with HttpClient(refuse).request('GET', 'https://a.example/', {}): pass\n"
        "        except NetworkError as error: return str(error)\n"
        "    asking, rounds = asyncio.create_task(ask()), 0\n"
        "    while not asking.done():\n"
        "        await asyncio.sleep(0.001)\n"
        "        rounds += 1\n"
        "    print(asking.result(), rounds > 5)\n"
        "asyncio.run(main())\n"
    )
    assert longest == "refused True"


@pytest.mark.virtual_time
async def test_nobody_writes_urls_down(network: Network, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    replies(network, redirect("/there"), response(200))
    async with HttpClient(direct) as client:
        await fetch(client)
    assert "example" not in caplog.text
