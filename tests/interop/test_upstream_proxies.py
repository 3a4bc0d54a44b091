"""Real proxies between us and everything: tinyproxy, squid, microsocks, and OpenSSH's -D for SOCKS4a."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.interop.ours import our_client, our_server
from tests.interop.programs import curl, unused_port
from tests.interop.proxies import (
    HERE,
    KINDS,
    LOGIN,
    WITH_A_LOGIN,
    basic,
    helper,
    passwords,
    proxy,
    squid,
    url_of,
)

from headrace.net.http import HttpClient
from headrace.net.upstream_proxy import UpstreamProxy, UpstreamProxyError
from headrace.testing.origin import Origin, payload

MEGABYTE = 1_000_000


async def fetch(client: HttpClient, url: str) -> bytes:
    async with client.request("GET", url, {}) as answer:
        assert answer.status_code == 200
        return b"".join([piece async for piece in answer.aiter_raw()])


@asynccontextmanager
async def echo(host: str) -> AsyncIterator[int]:
    """Listen, and send back what comes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(serve, host, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def reaches(upstream: UpstreamProxy, host: str, port: int) -> None:
    """Go through a proxy to an echo."""
    stream = await upstream.connect(host, port, 10)
    await stream.write(b"hello")
    assert await stream.read() == b"hello"
    stream.close()


@pytest.mark.both_loops
@pytest.mark.parametrize("kind", KINDS)
async def test_requests(kind: str, tmp_path: Path, origin: Origin) -> None:
    async with proxy(kind, tmp_path) as place:
        async with HttpClient(UpstreamProxy.parse(url_of(kind, place)).connect) as client:
            for host in (HERE, "localhost"):
                url = f"http://{host}:{origin.port}/bytes/{MEGABYTE}"
                assert await fetch(client, url) == payload(MEGABYTE)


@pytest.mark.both_loops
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("protocol", ["OSSH", "SSH"])
async def test_a_whole_client(kind: str, protocol: str, tmp_path: Path, origin: Origin) -> None:
    async with proxy(kind, tmp_path) as place, our_server(tmp_path / "server") as server:
        entry = {**server.entry, "localSource": "EMBEDDED"}
        async with our_client(entry, protocol, UpstreamProxyURL=url_of(kind, place)) as (client, said):
            way = ("--proxy", f"socks5h://127.0.0.1:{client.ports['Socks']}")
            fetched = await curl(*way, origin.url(f"/bytes/{MEGABYTE}"), directory=tmp_path)
        assert fetched == payload(MEGABYTE)
        assert not [secret for secret in (*LOGIN.split(":"), place) if secret in said.getvalue()]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_proxy_at_an_ipv6_address(kind: str, tmp_path: Path) -> None:
    async with proxy(kind, tmp_path, "::1") as place, echo(HERE) as port:
        assert place.startswith("[::1]:")
        await reaches(UpstreamProxy.parse(url_of(kind, place)), HERE, port)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "socks4a"])
async def test_a_destination_at_an_ipv6_address(kind: str, tmp_path: Path) -> None:
    async with proxy(kind, tmp_path) as place, echo("::1") as port:
        await reaches(UpstreamProxy.parse(url_of(kind, place)), "::1", port)


@pytest.mark.both_loops
@pytest.mark.parametrize("kind", KINDS)
async def test_many_at_once(kind: str, tmp_path: Path) -> None:
    async with proxy(kind, tmp_path) as place, echo(HERE) as port:
        upstream = UpstreamProxy.parse(url_of(kind, place))
        await asyncio.gather(*(reaches(upstream, HERE, port) for _ in range(10)))


@pytest.mark.parametrize("kind", KINDS)
async def test_a_place_where_nobody_listens(kind: str, tmp_path: Path) -> None:
    async with proxy(kind, tmp_path) as place:
        with pytest.raises(UpstreamProxyError, match="the upstream proxy") as caught:
            await UpstreamProxy.parse(url_of(kind, place)).connect(HERE, unused_port(), 10)
    assert HERE not in str(caught.value)


@pytest.mark.parametrize("kind", WITH_A_LOGIN)
@pytest.mark.parametrize(
    ("login", "problem"),
    [
        ("", "wants a user name and password: write them"),
        ("ann:wrong", "does not accept the user name and password: correct them"),
        ("CORP%5Cann:wrong", "does not accept the user name and password: correct them"),
        ("nobody:s3cret", "does not accept the user name and password: correct them"),
    ],
)
async def test_a_login_that_fails(
    kind: str, login: str, problem: str, tmp_path: Path, origin: Origin
) -> None:
    async with proxy(kind, tmp_path) as place:
        wrong = UpstreamProxy.parse(url_of(kind, place, login))
        with pytest.raises(UpstreamProxyError, match=problem) as caught:
            await wrong.connect(HERE, origin.port, 10)
    assert not [secret for secret in ("ann", "wrong", "s3cret", HERE) if secret in str(caught.value)]


async def test_squid_lets_some_ports_through(tmp_path: Path) -> None:
    async with echo(HERE) as allowed, echo(HERE) as other:
        async with squid(HERE, f"acl some port {allowed}", access=["allow CONNECT some"]) as port:
            upstream = UpstreamProxy.parse(f"http://{HERE}:{port}")
            await reaches(upstream, HERE, allowed)
            with pytest.raises(UpstreamProxyError, match="ask its operator which ports may be connected to"):
                await upstream.connect(HERE, other, 10)


async def test_squid_with_an_ntlm_that_accepts_anybody(tmp_path: Path) -> None:
    """A helper of squid's own: another implementation of the messages."""
    settings = (f"auth_param ntlm program {helper('ntlm_fake_auth')}", "acl known proxy_auth REQUIRED")
    async with echo(HERE) as there, squid(HERE, *settings, access=["allow known"]) as port:
        await reaches(UpstreamProxy.parse(f"http://CORP%5Cann:any@{HERE}:{port}"), HERE, there)


async def test_a_broken_ntlm_makes_room_for_basic(tmp_path: Path) -> None:
    """Its helper answers with what is no challenge, and the proxy offers Basic all the same."""
    fake = "while read -r kind rest; do echo 'TT AAAA'; done\n"
    settings = ("auth_param ntlm program /bin/sh {here}/fake", *basic(), "acl known proxy_auth REQUIRED")
    files = {**passwords(), "fake": fake}
    async with echo(HERE) as there, squid(HERE, *settings, files=files, access=["allow known"]) as port:
        await reaches(UpstreamProxy.parse(f"http://{LOGIN}@{HERE}:{port}"), HERE, there)


async def test_headers_of_the_users_own(tmp_path: Path) -> None:
    """Squid hides the Host of a CONNECT from its rules, so another header has to do here."""
    async with echo(HERE) as there:
        async with squid(HERE, "acl free req_header X-Plan ^free$", access=["allow free"]) as port:
            url = f"http://{HERE}:{port}"
            headers = (("X-Plan", "free"), ("Host", "allowed.example"))
            await reaches(UpstreamProxy.parse(url, headers), HERE, there)
            with pytest.raises(UpstreamProxyError, match="status 403"):
                await UpstreamProxy.parse(url, headers[1:]).connect(HERE, there, 10)
