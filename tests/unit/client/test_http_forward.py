"""Plain HTTP through the local proxy: a raw client, a memory tunnel, and origins that behave in many ways."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import cast

import h11
import pytest

from headrace.client import http_origins
from headrace.client.http_proxy import HttpProxy
from headrace.client.proxy_options import ProxyOptions
from headrace.net.dial import listen
from headrace.testing.memory_tunnel import MemoryTunnel
from headrace.testing.origin import PAGE, Origin, payload

pytestmark = pytest.mark.both_loops

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Application:
    """A program that uses the proxy, speaking HTTP by hand."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    http: h11.Connection

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    def get(self, url: str, headers: str = "", method: str = "GET", version: str = "1.1") -> None:
        self.send(f"{method} {url} HTTP/{version}\r\nHost: somewhere.else\r\n{headers}\r\n".encode())
        # So that h11 knows how the response is framed.
        self.http.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
        self.http.send(h11.EndOfMessage())

    async def response(self) -> tuple[h11.Response, bytes]:
        """Read one whole response."""
        head, body = None, b""
        while True:
            event = self.http.next_event()
            if event is h11.NEED_DATA:
                self.http.receive_data(await self.reader.read(1 << 20))
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                break
        assert head is not None
        if self.http.our_state is h11.DONE and self.http.their_state is h11.DONE:
            self.http.start_next_cycle()
        return head, body

    async def rest(self) -> bytes:
        """Read until the proxy closes."""
        return await self.reader.read(-1)


@asynccontextmanager
async def application(tunnel: MemoryTunnel | None = None) -> AsyncIterator[Application]:
    async with tunnel or MemoryTunnel() as forwarder:
        proxy = HttpProxy(forwarder, ProxyOptions())
        server = await listen(proxy.connection, "127.0.0.1", 0, what="the proxy")
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            yield Application(reader, writer, h11.Connection(h11.CLIENT))
        finally:
            writer.transport.abort()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)
            server.close()
            proxy.close()


@asynccontextmanager
async def scripted(script: Script) -> AsyncIterator[str]:
    """An origin that does what a test says; yields its authority."""
    tasks: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        with suppress(asyncio.CancelledError):
            await script(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in filter(None, tasks):
            task.cancel()
        await asyncio.gather(*filter(None, tasks), return_exceptions=True)


def answering(*answers: bytes) -> Script:
    """An origin that answers the heads it gets with these bytes, one after the other, then closes."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()

    return script


# ---- what passes


async def test_a_page_comes_through(origin: Origin) -> None:
    async with application() as app:
        app.get(origin.url())
        head, body = await app.response()
        assert (head.status_code, body) == (200, PAGE)


async def test_requests_share_connections_on_both_sides(origin: Origin) -> None:
    tunnel = MemoryTunnel()
    async with application(tunnel) as app:
        for size in (0, 1, 70_000):
            app.get(origin.url(f"/bytes/{size}"))
            _, body = await app.response()
            assert body == payload(size)
    assert origin.connections == 1
    assert len(tunnel.destinations) == 1


async def test_two_origins_keep_a_connection_each(origin: Origin) -> None:
    tunnel = MemoryTunnel()
    async with Origin() as other, application(tunnel) as app:
        for _ in range(2):
            for server in (origin, other):
                app.get(server.url())
                assert (await app.response())[1] == PAGE
    assert (origin.connections, other.connections) == (1, 1)


async def test_only_so_many_connections_are_kept(monkeypatch: pytest.MonkeyPatch, origin: Origin) -> None:
    monkeypatch.setattr(http_origins, "MAX_KEPT", 1)
    async with Origin() as other, application() as app:
        for server in (origin, other, origin):
            app.get(server.url())
            assert (await app.response())[1] == PAGE
    assert (origin.connections, other.connections) == (2, 1)


async def test_pipelined_requests_are_answered_in_order(origin: Origin) -> None:
    async with application() as app:
        heads = (f"GET {origin.url(f'/bytes/{size}')} HTTP/1.1\r\nHost: x\r\n\r\n" for size in (30, 10, 20))
        app.send("".join(heads).encode())
        for size in (30, 10, 20):
            app.http.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
            app.http.send(h11.EndOfMessage())
            assert (await app.response())[1] == payload(size)


async def test_a_request_may_come_byte_by_byte(origin: Origin) -> None:
    async with application() as app:
        for octet in f"GET {origin.url()} HTTP/1.1\r\nHost: x\r\n\r\n".encode():
            app.send(bytes([octet]))
            await asyncio.sleep(0)
        app.http.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
        app.http.send(h11.EndOfMessage())
        assert (await app.response())[1] == PAGE


async def test_the_origin_sees_no_proxy(origin: Origin) -> None:
    hop_by_hop = (
        "Connection: keep-alive, X-Secret\r\nX-Secret: 1\r\nProxy-Connection: keep-alive\r\n"
        "Proxy-Authorization: Basic eDp5\r\nTE: trailers\r\nKeep-Alive: 5\r\nUpgrade: h2c\r\nX-Kept: yes\r\n"
    )
    async with application() as app:
        app.get(origin.url("/head?a=b"), hop_by_hop)
        _, body = await app.response()
        assert json.loads(body) == {
            "method": "GET",
            "target": "/head?a=b",
            "headers": [["host", f"127.0.0.1:{origin.port}"], ["x-kept", "yes"]],
        }


async def test_hop_by_hop_headers_of_a_response_stay_behind() -> None:
    answer = (
        b"HTTP/1.1 200 Fine\r\nConnection: close, X-Private\r\nX-Private: 1\r\nKeep-Alive: 9\r\n"
        b"Proxy-Authenticate: Basic\r\nX-Public: 2\r\nContent-Length: 2\r\n\r\nok"
    )
    async with scripted(answering(answer)) as authority, application() as app:
        app.get(f"http://{authority}/")
        head, body = await app.response()
        assert body == b"ok"
        assert head.reason == b"Fine"
        assert sorted(head.headers) == [(b"content-length", b"2"), (b"x-public", b"2")]


async def test_redirects_are_not_followed() -> None:
    answer = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    tunnel = MemoryTunnel()
    async with scripted(answering(answer)) as authority, application(tunnel) as app:
        app.get(f"http://{authority}/")
        head, _ = await app.response()
        assert head.status_code == 302
        assert len(tunnel.destinations) == 1


@pytest.mark.parametrize("path", ["bytes", "chunked", "until-close"])
async def test_bodies_of_every_framing(origin: Origin, path: str) -> None:
    async with application() as app:
        for _ in range(2):  # the application's connection outlives an origin's that ends with its response
            app.get(origin.url(f"/{path}/300000"))
            head, body = await app.response()
            assert body == payload(300_000)
            assert (b"content-length" in dict(head.headers)) == (path == "bytes")


@pytest.mark.parametrize("path", ["bytes", "chunked", "until-close"])
async def test_an_old_client_gets_a_body_until_the_end(origin: Origin, path: str) -> None:
    async with application() as app:
        app.send(f"GET {origin.url(f'/{path}/5000')} HTTP/1.0\r\n\r\n".encode())
        head, _, body = (await app.rest()).partition(b"\r\n\r\n")
        assert body == payload(5000)
        assert b"connection: close" in head.lower()
        assert b"transfer-encoding" not in head.lower()


async def test_responses_without_a_body(origin: Origin) -> None:
    async with application() as app:
        app.get(origin.url("/bytes/1000"), method="HEAD")
        head, body = await app.response()
        assert (dict(head.headers)[b"content-length"], body) == (b"1000", b"")
        app.get(origin.url("/empty"))
        head, body = await app.response()
        assert (head.status_code, body) == (204, b"")
        app.get(origin.url())
        assert (await app.response())[1] == PAGE


async def test_not_modified_has_no_body_whatever_it_says() -> None:
    answer = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n"
    page = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    async with scripted(answering(answer, page)) as authority, application() as app:
        app.get(f"http://{authority}/")
        assert (await app.response())[0].status_code == 304
        app.get(f"http://{authority}/")
        assert (await app.response())[1] == b"ok"


@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_bodies_go_up(origin: Origin, framing: str) -> None:
    body = payload(1_000_000)
    async with application() as app:
        for _ in range(2):
            head = f"POST {origin.url('/sum')} HTTP/1.1\r\nHost: x\r\n"
            if framing == "length":
                app.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            else:
                app.send(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
                for start in range(0, len(body), 99_999):
                    chunk = body[start : start + 99_999]
                    app.send(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
                app.send(b"0\r\n\r\n")
            app.http.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
            app.http.send(h11.EndOfMessage())
            _, answer = await app.response()
            assert json.loads(answer) == {"length": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    assert origin.connections == 2  # a request that cannot be repeated gets a fresh one


async def test_continue_is_passed_on_before_the_body(origin: Origin) -> None:
    async with application() as app:
        app.send(
            f"POST {origin.url('/sum')} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
            "Content-Length: 3\r\n\r\n".encode()
        )
        assert (await app.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        app.send(b"abc")
        assert (await app.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        assert json.loads(await app.reader.readuntil(b"}"))["length"] == 3


async def test_an_old_client_hears_nothing_interim() -> None:
    answer = b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    async with scripted(answering(answer)) as authority, application() as app:
        app.send(f"GET http://{authority}/ HTTP/1.0\r\n\r\n".encode())
        assert (await app.rest()).startswith(b"HTTP/1.1 200 ")


async def test_an_early_answer_ends_an_upload() -> None:
    async def unwilling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        while await reader.read(65_536):  # closing on it would take the answer back
            pass

    async with scripted(unwilling) as authority, application() as app:
        app.send(f"POST http://{authority}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n".encode())
        app.send(bytes(200_000))
        data = await app.rest()
        assert data.startswith(b"HTTP/1.1 413 ")
        assert data.endswith(b"no")


async def test_a_half_closed_application_gets_its_answer(origin: Origin) -> None:
    async with application() as app:
        app.send(f"GET {origin.url()} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        app.writer.write_eof()
        assert (await app.rest()).endswith(PAGE)


# ---- back-pressure


async def test_a_stalled_application_stalls_the_origin() -> None:
    sent = 0
    stalled = asyncio.Event()

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(bytes(65_536))
            sent += 65_536
            try:
                await asyncio.wait_for(writer.drain(), 0.5)
            except TimeoutError:
                stalled.set()
                return

    async with application() as app, scripted(endless) as authority:
        socket = cast("asyncio.Transport", app.writer.transport)
        socket.pause_reading()
        app.get(f"http://{authority}/")
        await asyncio.wait_for(stalled.wait(), 20)
        socket.resume_reading()
    assert sent < 32 * 1024 * 1024  # the system's own socket buffers are most of it


async def test_a_stalled_origin_stalls_the_application() -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    sent = 0
    async with application() as app, scripted(deaf) as authority:
        app.send(
            f"POST http://{authority}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\n\r\n".encode()
        )
        with pytest.raises(TimeoutError):
            while True:
                app.send(bytes(65_536))
                await asyncio.wait_for(app.writer.drain(), 0.5)
                sent += 65_536
    assert sent < 32 * 1024 * 1024


# ---- what goes wrong


async def test_no_tunnel_is_told() -> None:
    tunnel = MemoryTunnel()
    tunnel.lose()
    async with application(tunnel) as app:
        app.get("http://127.0.0.1:1/")
        assert (await app.rest()).startswith(b"HTTP/1.1 503 ")
    assert tunnel.failures == 0


async def test_a_refused_port_forward_is_a_bad_gateway() -> None:
    tunnel = MemoryTunnel()
    async with application(tunnel) as app:
        app.get("http://127.0.0.1:1/")
        assert (await app.rest()).startswith(b"HTTP/1.1 502 ")
    assert tunnel.failures == 1


@pytest.mark.parametrize(
    "answer",
    [b"", b"what?\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Len", b"HTTP/1.1 101 Other\r\n\r\n"],
    ids=["none", "nonsense", "half a head", "upgrade"],
)
async def test_an_origin_that_fails_before_its_response_is_a_bad_gateway(answer: bytes) -> None:
    async with scripted(answering(answer)) as authority, application() as app:
        app.get(f"http://{authority}/")
        assert (await app.rest()).startswith(b"HTTP/1.1 502 ")


@pytest.mark.parametrize("framing", [b"Content-Length: 100", b"Transfer-Encoding: chunked"])
async def test_a_response_cut_short_is_never_made_to_look_whole(framing: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n3\r\nabc\r\n"
    async with scripted(answering(answer)) as authority, application() as app:
        app.get(f"http://{authority}/")
        with pytest.raises((ConnectionError, h11.RemoteProtocolError)):
            await app.response()


async def test_a_tunnel_lost_in_mid_response_cuts_the_connection() -> None:
    tunnel = MemoryTunnel()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nbeginning")
        await reader.read()

    async with scripted(script) as authority, application(tunnel) as app:
        app.send(f"GET http://{authority}/ HTTP/1.0\r\n\r\n".encode())
        await app.reader.readuntil(b"beginning")
        tunnel.lose()
        with pytest.raises(ConnectionError):
            await app.rest()


@pytest.mark.virtual_time
async def test_slow_response_heads_are_given_up() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with scripted(silent) as authority, application() as app:
        app.get(f"http://{authority}/")
        assert (await app.rest()).startswith(b"HTTP/1.1 504 ")


@pytest.mark.virtual_time
async def test_a_long_upload_is_no_slow_response(origin: Origin) -> None:
    async with application() as app:
        app.send(f"POST {origin.url('/sum')} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n".encode())
        for _ in range(4):
            await asyncio.sleep(http_origins.RESPONSE_TIMEOUT * 0.6)
            app.send(b"x")
        assert (await app.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")


async def test_a_kept_connection_that_died_is_replaced() -> None:
    """The origin closes after each response without saying so: the second request must not fail for that."""
    page = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    async with scripted(answering(page)) as authority, application() as app:
        for _ in range(3):
            app.get(f"http://{authority}/")
            assert (await app.response())[1] == b"ok"


async def test_an_origin_that_speaks_unasked_is_not_believed() -> None:
    page = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    lie = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nlie"

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(page + lie)
        await reader.read()

    async with scripted(script) as authority, application() as app:
        for _ in range(2):
            app.get(f"http://{authority}/")
            assert (await app.response())[1] == b"ok"


async def test_nonsense_after_a_good_request_is_a_bad_request(origin: Origin) -> None:
    async with application() as app:
        app.get(origin.url())
        await app.response()
        app.send(b"\x00\x01\x02\r\n\r\n")
        assert (await app.rest()).startswith(b"HTTP/1.1 400 ")


async def test_a_request_for_the_proxy_itself_may_come_later_on(origin: Origin) -> None:
    async with application() as app:
        app.get(origin.url())
        await app.response()
        app.send(b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await app.reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 403 ")


async def test_connect_may_come_later_on(origin: Origin) -> None:
    async with application() as app:
        app.get(origin.url())
        await app.response()
        inner = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        app.send(f"CONNECT 127.0.0.1:{origin.port} HTTP/1.1\r\nHost: x\r\n\r\n".encode() + inner)
        assert await app.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 200 OK\r\n\r\n"
        assert (await app.rest()).endswith(PAGE)


async def test_an_application_that_breaks_off_takes_the_request_with_it() -> None:
    ended = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.read() == b"half"
        ended.set()

    async with scripted(script) as authority, application() as app:
        app.send(f"POST http://{authority}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nhalf".encode())
        app.writer.close()
        await asyncio.wait_for(ended.wait(), 5)
