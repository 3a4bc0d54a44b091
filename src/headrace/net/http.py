"""Our own HTTP requests, on connections of ours: made directly, through the tunnel, or through a proxy.

    HttpClient ──► httpx ──► net.http_transport ──► Connector ──► ByteStream [──► TlsStream]

A request has exactly the headers it is given and Host, and its path as the URL spells it. Nothing comes from
the environment, no cookie is kept, nothing is unpacked. httpx is loaded with the first request, in a thread:
it takes a tenth of a second, which the start of a client does not have.
"""

import asyncio
import importlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, NamedTuple, Self
from urllib.parse import quote, urljoin, urlsplit

from headrace.base.errors import DocumentError, NetworkError, RemoteProtocolError
from headrace.net.dial import dial
from headrace.net.streams import ByteStream, ChannelStream, SocketStream
from headrace.net.tls import Trust
from headrace.ssh.channel import Channel, Endpoint
from headrace.ssh.forwarding import DIRECT_TCPIP_UNSPLIT, Destination

if TYPE_CHECKING:
    import httpx

    from headrace.net.http_transport import Transport

__all__ = [
    "REDIRECTS",
    "Connector",
    "HttpClient",
    "Target",
    "direct",
    "redirected",
    "split_url",
    "through",
]

#: Given host, port and seconds of patience, connect. Names are resolved where the connection is made.
Connector = Callable[[str, int, float], Awaitable[ByteStream]]

#: Seconds for a connection, without what TLS takes.
CONNECT_TIMEOUT: Final = 15.0
MAX_REDIRECTS: Final = 5
#: Statuses that, with a Location, send the client elsewhere.
REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_TRANSPORT: Final = "headrace.net.http_transport"
#: What may stand in a request's target (RFC 9112 §3.2); anything else is percent-encoded.
_PRINTABLE: Final = "".join(map(chr, range(0x21, 0x7F)))


async def direct(host: str, port: int, timeout: float, device: str = "") -> ByteStream:
    """Connect from this machine, with a name resolved by its system."""
    return await dial(host, port, SocketStream, timeout, device)


def through(open_channel: Callable[[bytes, bytes, Endpoint], Channel]) -> Connector:
    """Return a connector that goes through a tunnel, given its `open_channel`; the server resolves names."""

    async def connect(host: str, port: int, timeout: float) -> ByteStream:
        destination = Destination(host, port)
        if not destination.possible:
            raise NetworkError("no host has such an address")
        return await ChannelStream.open(
            lambda endpoint: open_channel(DIRECT_TCPIP_UNSPLIT, destination.encode(), endpoint), timeout
        )

    return connect


class Target(NamedTuple):
    """A URL cut in two: `https://host:port` to connect to, and what to ask for there, as it was written."""

    origin: str
    path: bytes

    @property
    def secure(self) -> bool:
        return self.origin.startswith("https:")


def split_url(url: str) -> Target:
    """Cut a URL. Raises DocumentError, which does not repeat it."""
    scheme, _, rest = url.partition("://")
    authority = min((rest.partition(mark)[0] for mark in "/?#"), key=len)
    path = rest[len(authority) :].partition("#")[0]
    if scheme.lower() not in ("http", "https"):
        raise DocumentError("the URL does not begin with http:// or https://")
    if "@" in authority:
        raise DocumentError("the URL has a user name in it, which is not supported")
    try:
        parts = urlsplit(f"//{authority}")
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not authority.isprintable() or " " in authority:
        raise DocumentError("the URL has no usable host and port")
    path = path if path.startswith("/") else f"/{path}"
    return Target(f"{scheme.lower()}://{authority}", quote(path, safe=_PRINTABLE).encode())


def redirected(url: str, location: str) -> str:
    """Return where a response from `url` leads. Raises RemoteProtocolError if nobody should go there."""
    try:
        onward = urljoin(url, location)
        secure = split_url(onward).secure
    except (ValueError, DocumentError) as error:
        raise RemoteProtocolError("the server redirects to what cannot be fetched") from error
    if split_url(url).secure and not secure:
        raise RemoteProtocolError("the server redirects from https to http, which is refused")
    return onward


class HttpClient:
    """Makes requests over what `connect` connects to. Connections are kept for more of them until `close`."""

    def __init__(self, connect: Connector, trust: Trust | None = None) -> None:
        self._connect = connect
        self._trust = trust or Trust()
        self._transport: Transport | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.aclose()

    @asynccontextmanager
    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        extra_headers: Mapping[str, str] | None = None,
        content: bytes | AsyncIterator[bytes] | None = None,
        verify: bool = True,
        follow: bool = True,
    ) -> "AsyncIterator[httpx.Response]":
        """Make a request and give its response, whose body is read with `aiter_raw` inside the block.

        Redirections are followed, a few, but not from https to http; `extra_headers` are only for the origin
        that was asked first; without `follow` they are given like any response. `verify` is whether its
        certificate matters. There is no limit of time except for connecting: the caller sets one around it.

        Raises NetworkError, RemoteProtocolError, DocumentError (the URL or a header cannot be sent) or
        OperatorError (trust); none of their texts shows an address, a URL or a header.
        """
        target = first = split_url(url)
        for _ in range(1 + MAX_REDIRECTS):
            sent = {**headers, **(extra_headers or {})} if target.origin == first.origin else headers
            transport = await self._prepare(target.secure and verify)
            request = self._make(method, target, sent, content, verify)
            response = await transport.handle_async_request(request)
            try:
                location = response.headers.get("location")
                if not follow or response.status_code not in REDIRECTS or location is None:
                    yield response
                    return
            finally:
                await response.aclose()
            url = redirected(url, location)
            target = split_url(url)
        raise RemoteProtocolError("the server redirects again and again")

    @staticmethod
    def _make(
        method: str,
        target: Target,
        headers: Mapping[str, str],
        content: bytes | AsyncIterator[bytes] | None,
        verify: bool,
    ) -> "httpx.Request":
        import httpx

        extensions = {"target": target.path, "verify": verify, "timeout": {"connect": CONNECT_TIMEOUT}}
        try:
            return httpx.Request(
                method,
                target.origin,
                headers=[
                    (name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()
                ],
                content=content,
                extensions=extensions,
            )
        except (httpx.InvalidURL, UnicodeError) as error:  # of idna's as well, for a name's Punycode
            raise DocumentError("the URL or a header of the request cannot be sent") from error

    async def _prepare(self, verify: bool) -> "Transport":
        if _TRANSPORT not in sys.modules:
            await asyncio.to_thread(importlib.import_module, _TRANSPORT)
        if self._trust.slow(verify):
            await asyncio.to_thread(self._trust.context, verify)
        if self._transport is None:
            from headrace.net.http_transport import Transport

            self._transport = Transport(self._connect, self._trust)
        return self._transport
