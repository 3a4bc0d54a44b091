"""Real proxies between us and everything: tinyproxy, microsocks, and OpenSSH's -D for SOCKS4a."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.interop.ours import our_client, our_server
from tests.interop.programs import curl, program, running, unused_port
from tests.interop.test_openssh import ssh

from headrace.base.errors import NetworkError
from headrace.net.http import HttpClient
from headrace.net.resolve import Answer, Resolver
from headrace.net.upstream_proxy import UpstreamProxy, UpstreamProxyError
from headrace.testing.origin import Origin, payload

pytestmark = pytest.mark.both_loops

MEGABYTE = 1_000_000
KINDS = ["http", "http with a login", "socks5", "socks5 with a login", "socks4a"]
WITH_A_LOGIN = ["http with a login", "socks5 with a login"]
LOGIN = "ann:s3cret"


@asynccontextmanager
async def tinyproxy(directory: Path, *settings: str) -> AsyncIterator[int]:
    port = unused_port()
    config = directory / "tinyproxy.conf"
    lines = [f"Port {port}", "Listen 127.0.0.1", "Allow 127.0.0.1", "LogLevel Info", *settings]
    config.write_text("\n".join(lines) + "\n")
    async with running(program("tinyproxy"), "-d", "-c", config, directory=directory) as child:
        await child.says("Accepting connections")
        yield port


@asynccontextmanager
async def microsocks(directory: Path, *options: str) -> AsyncIterator[int]:
    port = unused_port()
    command = (program("microsocks"), "-i", "127.0.0.1", "-p", str(port), *options)
    async with running(*command, directory=directory):
        await listening(port)
        yield port


async def listening(port: int) -> None:
    """Wait until a program that does not say when it is ready has opened its port."""
    async with asyncio.timeout(20):
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
                return
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)


class Names:
    """A name server that knows this machine only."""

    async def query(self, name: str) -> Sequence[Answer]:
        if name != "localhost":
            raise NetworkError("the name does not exist")
        return [("127.0.0.1", 60)]

    async def close(self) -> None:
        """Nothing is held."""


@asynccontextmanager
async def openssh(directory: Path) -> AsyncIterator[int]:
    port = unused_port()
    async with our_server(directory / "far") as server:
        server.worker.resolver = Resolver(backend=Names)
        async with ssh(server, directory, "-D", f"127.0.0.1:{port}"):
            yield port


@asynccontextmanager
async def proxy(kind: str, directory: Path) -> AsyncIterator[str]:
    """Run a proxy; give where it is, for what follows `scheme://` and the login."""
    user, password = LOGIN.split(":")
    if kind == "http":
        started = tinyproxy(directory)
    elif kind == "http with a login":
        started = tinyproxy(directory, f"BasicAuth {user} {password}")
    elif kind == "socks4a":
        started = openssh(directory)
    else:
        options = ("-u", user, "-P", password) if kind in WITH_A_LOGIN else ()
        started = microsocks(directory, *options)
    async with started as port:
        yield f"127.0.0.1:{port}"


def url_of(kind: str, place: str) -> str:
    login = f"{LOGIN}@" if kind in WITH_A_LOGIN else ""
    return f"{kind.split()[0]}://{login}{place}"


async def fetch(client: HttpClient, url: str) -> bytes:
    async with client.request("GET", url, {}) as answer:
        assert answer.status_code == 200
        return b"".join([piece async for piece in answer.aiter_raw()])


@pytest.mark.parametrize("kind", KINDS)
async def test_requests(kind: str, tmp_path: Path, origin: Origin) -> None:
    async with proxy(kind, tmp_path) as place:
        async with HttpClient(UpstreamProxy.parse(url_of(kind, place)).connect) as client:
            for host in ("127.0.0.1", "localhost"):
                url = f"http://{host}:{origin.port}/bytes/{MEGABYTE}"
                assert await fetch(client, url) == payload(MEGABYTE)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("protocol", ["OSSH", "SSH"])
async def test_a_whole_client(kind: str, protocol: str, tmp_path: Path, origin: Origin) -> None:
    async with proxy(kind, tmp_path) as place, our_server(tmp_path / "server") as server:
        entry = {**server.entry, "localSource": "EMBEDDED"}
        async with our_client(entry, protocol, UpstreamProxyURL=url_of(kind, place)) as (client, said):
            way = ("--proxy", f"socks5h://127.0.0.1:{client.ports['Socks']}")
            fetched = await curl(*way, origin.url(f"/bytes/{MEGABYTE}"), directory=tmp_path)
        assert fetched == payload(MEGABYTE)
        assert LOGIN not in said.getvalue()
        assert place not in said.getvalue()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_place_where_nobody_listens(kind: str, tmp_path: Path) -> None:
    async with proxy(kind, tmp_path) as place:
        with pytest.raises(UpstreamProxyError, match="the upstream proxy") as caught:
            await UpstreamProxy.parse(url_of(kind, place)).connect("127.0.0.1", unused_port(), 10)
    assert "127.0.0.1" not in str(caught.value)


@pytest.mark.parametrize("kind", WITH_A_LOGIN)
@pytest.mark.parametrize(
    ("login", "problem"),
    [("", "wants a user name and password"), ("ann:wrong@", "does not accept the user name and password")],
)
async def test_a_login_that_fails(
    kind: str, login: str, problem: str, tmp_path: Path, origin: Origin
) -> None:
    async with proxy(kind, tmp_path) as place:
        wrong = UpstreamProxy.parse(f"{kind.split()[0]}://{login}{place}")
        with pytest.raises(UpstreamProxyError, match=problem):
            await wrong.connect("127.0.0.1", origin.port, 10)
