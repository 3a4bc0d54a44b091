"""Ordinary websites on loopback for reference traffic: nginx and aiohttp, over HTTP, and nginx over TLS.

    /N      N bytes; a POST takes its body first
    /a/N    the same, with other headers, as are /b/N and /c/N

Sites listen on several ports each, so that a capture tells by the port who asked.
"""

import ssl
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from ssl import TLSVersion
from typing import Final

from aiohttp import web

from headrace.resist.certificates import KINDS, write_chain
from headrace.resist.nginx import running_nginx
from headrace.resist.ports import unused_ports

__all__ = ["SIZES", "TLS_VERSIONS", "TlsSite", "Websites", "running_websites", "trusting"]

#: Sizes of files that nginx has: from 200 bytes to 5 MB, evenly spread by their logarithm.
SIZES: Final = tuple(round(200 * 25_000 ** (i / 249)) for i in range(250))

#: Versions of TLS as nginx calls them.
TLS_VERSIONS: Final = {TLSVersion.TLSv1_2: "TLSv1.2", TLSVersion.TLSv1_3: "TLSv1.3"}

_PLAIN: Final = """
    access_log off;
    default_type text/html;
    sendfile on;
    client_max_body_size 8m;
    keepalive_requests 10000;
    server {{
        {listen}
        root files;
        error_page 405 =200 $uri;
        {headers}
    }}
"""
_TLS: Final = """
    server {{
        listen 127.0.0.1:{port} ssl{http2};
        ssl_protocols {version};
        ssl_certificate "{chain}";
        ssl_certificate_key "{key}";
        ssl_ecdh_curve {curves};
        root files;
        error_page 405 =200 $uri;
        {headers}
    }}
"""
_HEADERS: Final = {
    "a": (
        ("Cache-Control", "public, max-age=3600"),
        ("Vary", "Accept-Encoding"),
        ("X-Content-Type-Options", "nosniff"),
    ),
    "b": (
        ("Cache-Control", "private, no-store"),
        ("Set-Cookie", "session=7f1c0d5e9a2b4c6d8e0f1a3b5c7d9e0f; Path=/; HttpOnly; SameSite=Lax"),
    ),
    "c": (
        ("Strict-Transport-Security", "max-age=63072000; includeSubDomains; preload"),
        ("Content-Security-Policy", "default-src 'self'; img-src * data:; style-src 'self' 'unsafe-inline'"),
        ("Referrer-Policy", "strict-origin-when-cross-origin"),
        ("Permissions-Policy", "camera=(), microphone=(), geolocation=()"),
        ("X-Frame-Options", "SAMEORIGIN"),
    ),
}


@dataclass(frozen=True, slots=True)
class TlsSite:
    """A site over TLS of one version, with one kind of certificate chain, with HTTP/2 or without."""

    port: int
    version: TLSVersion
    certificate: str
    http2: bool


@dataclass(frozen=True, slots=True)
class Websites:
    """What listens: ports of nginx and of aiohttp over HTTP, one for each asker, and the sites over TLS."""

    nginx: tuple[int, ...]
    python: tuple[int, ...]
    tls: tuple[TlsSite, ...]


def trusting(newest: TLSVersion) -> ssl.SSLContext:
    """Return the context of a client that takes these sites' certificates, as it would any."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = newest
    return context


@asynccontextmanager
async def running_websites(askers: int) -> AsyncIterator[Websites]:
    """Run the sites while the block runs. Raises OperatorError if nginx is not there."""
    with tempfile.TemporaryDirectory() as directory:
        async with _running(Path(directory), askers) as sites:
            yield sites


@asynccontextmanager
async def _running(directory: Path, askers: int) -> AsyncIterator[Websites]:
    files = directory / "files"
    for place in ("", *_HEADERS):
        (files / place).mkdir(parents=True)
        for size in SIZES:
            with (files / place / str(size)).open("wb") as file:
                file.truncate(size)
    kinds = [(version, kind, http2) for version in TLS_VERSIONS for kind in KINDS for http2 in (False, True)]
    ports = unused_ports(2 * askers + len(kinds))
    nginx, python, tls_ports = ports[:askers], ports[askers : 2 * askers], ports[2 * askers :]
    sites = tuple(TlsSite(port, *kind) for port, kind in zip(tls_ports, kinds, strict=True))
    chains = {kind: write_chain(directory, kind) for kind in KINDS}
    tls = "".join(
        _TLS.format(
            port=site.port,
            version=TLS_VERSIONS[site.version],
            http2=" http2" if site.http2 else "",
            chain=chains[site.certificate].chain,
            key=chains[site.certificate].key,
            curves="prime256v1" if site.version is TLSVersion.TLSv1_2 and site.http2 else "X25519:prime256v1",
            headers=_locations(),
        )
        for site in sites
    )
    listen = "\n        ".join(f"listen 127.0.0.1:{port};" for port in nginx)
    async with (
        running_nginx(directory, _PLAIN.format(listen=listen, headers=_locations()) + tls),
        _running_python(python),
    ):
        yield Websites(tuple(nginx), tuple(python), sites)


def _locations() -> str:
    return "\n        ".join(
        f"location /{place}/ {{ " + " ".join(f'add_header {name} "{value}";' for name, value in fields) + " }"
        for place, fields in _HEADERS.items()
    )


@asynccontextmanager
async def _running_python(ports: Sequence[int]) -> AsyncIterator[None]:
    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        place, size = request.match_info["place"].rstrip("/"), int(request.match_info["size"])
        return web.Response(
            body=bytes(size), content_type="application/octet-stream", headers=_HEADERS.get(place, ())
        )

    application = web.Application(client_max_size=8_000_000)
    application.router.add_route("*", r"/{place:(?:[a-c]/)?}{size:\d+}", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        for port in ports:
            await web.TCPSite(runner, "127.0.0.1", port).start()
        yield
    finally:
        await runner.cleanup()
