"""Programs of everyday use through the local proxies: curl, wget, git, WebSockets. Every program is real."""

import asyncio
import hashlib
import json
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
import websockets
from tests.everyday import Everyday, everyday
from tests.interop.programs import complete, program, run
from tests.processes import Way, make_server, running_server
from tests.website import BIG, COMMITS, PAGES, is_big, page_text

from headrace.testing.origin import PAGE, Origin, payload

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVERY_WAY = pytest.mark.parametrize("way", list(Way))
#: Those of programs that speak no SOCKS, and those of programs that want nothing but a connection.
HTTP_WAYS = pytest.mark.parametrize("way", [Way.HTTP, Way.CONNECT])
CONNECTIONS = pytest.mark.parametrize("way", [Way.SOCKS5, Way.SOCKS4A, Way.CONNECT])
SIZE = 2_000_000
MANY = 200
#: How much of a big file is there when its download is cut.
CUT = 150_000_000
#: Seconds for the rest of it, on a machine that has other things to do.
LONG = 40.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Everyday]:
    """A client behind a server of ours, both of them processes, shared by the tests of a module."""
    directory = tmp_path_factory.mktemp("everyday")
    entry = make_server(directory / "server")
    async with running_server(directory / "server"), everyday(directory, entry) as network:
        yield network


@EVERY_WAY
@pytest.mark.parametrize("kind", ["bytes", "chunked", "until-close"])
async def test_curl_downloads(here: Everyday, way: Way, kind: str, tmp_path: Path) -> None:
    url = here.origin.url(f"/{kind}/{SIZE}")
    assert await here.curl(way, url, directory=tmp_path) == payload(SIZE)


@EVERY_WAY
@pytest.mark.parametrize("framing", ["Content-Length", "Transfer-Encoding"])
async def test_curl_uploads(here: Everyday, way: Way, framing: str, tmp_path: Path) -> None:
    """It asks before it sends so much, with Expect, and goes on when it is told to, or after a second."""
    body = payload(SIZE)
    (tmp_path / "body").write_bytes(body)
    value = {"Content-Length": str(SIZE), "Transfer-Encoding": "chunked"}[framing]
    words = ("--request", "POST", "--upload-file", "body", "--header", f"{framing}: {value}")
    answer = await here.curl(way, *words, here.origin.url("/sum"), directory=tmp_path)
    assert json.loads(answer) == {"length": SIZE, "sha256": hashlib.sha256(body).hexdigest()}


@EVERY_WAY
async def test_curl_keeps_its_connection(here: Everyday, way: Way, tmp_path: Path) -> None:
    words = ("--output", "#1", "--write-out", "%{num_connects} ", here.url(way, "/pages/[0-29].html"))
    connects = await here.curl(way, *words, directory=tmp_path)
    assert connects.split() == [b"1"] + [b"0"] * (PAGES - 1)


@EVERY_WAY
async def test_curl_asks_otherwise(here: Everyday, way: Way, tmp_path: Path) -> None:
    """Answers without a body and with a part of it, on one connection; an old request on one of its own."""
    report, page = "%{http_code} %{size_download} %{num_connects}\n", here.url(way, "/pages/29.html")
    requests = [
        ("--head",),
        ("--header", "If-None-Match: *"),
        ("--range", "100-199"),
        ("--request", "DELETE"),  # no method that this site knows
        ("--http1.0",),
    ]
    each = ("--fail", "--silent", "--write-out", report, "--output", os.devnull, page)
    words = [word for request in requests for word in ("--next", *here.curl_options(way), *request, *each)]
    lines = (await run(program("curl"), "-q", *words[1:], directory=tmp_path)).stdout.decode().splitlines()
    assert lines == ["200 0 1", "304 0 0", "206 100 0", "405 0 0", f"200 {len(page_text(29))} 1"]


@EVERY_WAY
async def test_an_ipv6_address(here: Everyday, way: Way, tmp_path: Path) -> None:
    async with Origin(host="::1") as origin:
        page = await here.curl(way, f"http://[::1]:{origin.port}/", directory=tmp_path)
    assert page == PAGE


@CONNECTIONS
async def test_curl_speaks_http2(here: Everyday, way: Way, tmp_path: Path) -> None:
    """All pages at once over one connection."""
    words = ("--http2", "--parallel", "--write-out", "%{http_version} %{num_connects}\n", "--output", "#1")
    url = here.website.url("/pages/[0-29].html", tls=True)
    lines = (await here.curl(way, *words, url, directory=tmp_path)).decode().splitlines()
    assert sorted(lines) == ["2 0"] * (PAGES - 1) + ["2 1"]


@EVERY_WAY
async def test_curl_makes_many_connections_at_once(here: Everyday, way: Way, tmp_path: Path) -> None:
    """More than a server dials for anybody at a time."""
    words = ("--parallel", "--parallel-immediate", "--parallel-max", str(MANY), "--output", os.devnull)
    url = here.origin.url(f"/bytes/20000?[1-{MANY}]")
    report = await here.curl(way, *words, "--write-out", "%{http_code} ", url, directory=tmp_path)
    assert report.split() == [b"200"] * MANY


@HTTP_WAYS
async def test_wget_mirrors_a_site(here: Everyday, way: Way, tmp_path: Path) -> None:
    words = ("--recursive", "--level=1", "--no-parent", "--no-host-directories")
    await complete(*wget(here), *words, here.url(way, "/pages/"), directory=tmp_path)
    fetched = {file.name for file in (tmp_path / "pages").iterdir()}
    assert fetched == {"index.html", *(f"{number}.html" for number in range(PAGES))}


@EVERY_WAY
async def test_git_clones(here: Everyday, way: Way, tmp_path: Path) -> None:
    git = program("git")
    settings = (f"http.proxy={here.client.proxy(way)}", f"http.sslCAInfo={here.website.authority}")
    options = [word for setting in settings for word in ("-c", setting)]
    url = here.url(way, "/repository/.git")
    await complete(git, *options, "clone", "--quiet", url, "clone", directory=tmp_path)
    await complete(git, "fsck", "--strict", directory=tmp_path / "clone")
    commits = await complete(git, "rev-list", "HEAD", directory=tmp_path / "clone")
    assert len(commits.split()) == COMMITS


async def test_curl_resumes_a_big_download(here: Everyday, tmp_path: Path) -> None:
    curl = (program("curl"), "-q", "--silent", "--fail", "--proxy", here.client.proxy(Way.SOCKS5))
    url = here.website.url("/big")
    first, again = (*curl, url), (*curl, "--remote-name", "--continue-at", "-", url)
    await cut_and_resume(tmp_path / "big", first, again)


async def test_wget_resumes_a_big_download(here: Everyday, tmp_path: Path) -> None:
    url = here.website.url("/big")
    first, again = (*wget(here), "--output-document=-", url), (*wget(here), "--continue", url)
    await cut_and_resume(tmp_path / "big", first, again)


@CONNECTIONS
async def test_a_websocket(here: Everyday, way: Way) -> None:
    """Programs want a connection for it, whatever comes over it."""
    async with websocket(here, way) as connection:
        for message in ("Grüße", payload(SIZE // 2), ""):
            await connection.send(message)
            assert await connection.recv() == message
        await (await connection.ping())
    assert connection.close_code == 1000


# ---- programs ---------------------------------------------------------------------------------------------


def wget(here: Everyday) -> tuple[str, ...]:
    """Return what runs wget through the HTTP proxy."""
    proxy = here.client.proxy(Way.HTTP)
    settings = ("use_proxy=yes", f"http_proxy={proxy}", f"https_proxy={proxy}")
    options = [word for setting in settings for word in ("--execute", setting)]
    return (
        program("wget"),
        "--no-config",
        "--no-verbose",
        *options,
        f"--ca-certificate={here.website.authority}",
    )


async def cut_and_resume(file: Path, first: Sequence[str], again: Sequence[str]) -> None:
    """Cut a download, which goes to standard output, when CUT bytes of it are in a file; then go on."""
    pipe = f'"$@" | head --bytes={CUT} > {file.name}'
    try:
        await complete("sh", "-c", pipe, "sh", *first, directory=file.parent)
        assert file.stat().st_size == CUT
        await complete(*again, directory=file.parent, patience=LONG)
        assert file.stat().st_size == BIG
        assert await asyncio.to_thread(is_big, file)
    finally:
        file.unlink(missing_ok=True)


@asynccontextmanager
async def websocket(here: Everyday, way: Way) -> AsyncIterator[websockets.ClientConnection]:
    """Connect to the server that says what it is told."""
    uri = f"ws://localhost:{here.echo_port}/"
    if way is Way.CONNECT:
        connecting = websockets.connect(uri, proxy=here.client.proxy(way))
    else:
        connected = await socks(here.client.socks_port, way, here.echo_port)
        connecting = websockets.connect(uri, proxy=None, sock=connected)
    async with connecting as connection:
        yield connection


async def socks(proxy_port: int, way: Way, port: int) -> socket.socket:
    """Connect to a port of this machine, by name; return the socket."""
    asked = {
        Way.SOCKS4A: (b"\x04\x01%b\0\0\0\x01\0localhost\0", 8, b"\x00\x5a"),
        Way.SOCKS5: (b"\x05\x01\x00\x05\x01\x00\x03\x09localhost%b", 12, b"\x05\x00\x05\x00"),
    }
    request, length, expected = asked[way]
    loop, connected = asyncio.get_running_loop(), socket.socket()
    connected.setblocking(False)
    try:
        await loop.sock_connect(connected, ("127.0.0.1", proxy_port))
        await loop.sock_sendall(connected, request % port.to_bytes(2, "big"))
        reply = b""
        while len(reply) < length and (data := await loop.sock_recv(connected, length - len(reply))):
            reply += data
        assert reply.startswith(expected), reply
    except BaseException:
        connected.close()
        raise
    return connected
