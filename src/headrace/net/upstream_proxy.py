"""Connections through the proxy of `UpstreamProxyURL`: for tunnels, which need a protocol, and for requests.

    dial ──► proxy ──► negotiation ──► ByteStream          (`connect`, a connector for net.http)
                            └────────► protocol in charge  (`dial`, as net.dial.dial)

The name of a destination goes to the proxy as it is; only the proxy's own name is resolved here.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Self, TypeVar

from headrace.base.errors import ConnectTimeout, DocumentError, NetworkError
from headrace.base.rng import SYSTEM_RNG, Rng
from headrace.codec.http_login_way import Identity
from headrace.codec.negotiation import Connected, Negotiation, Reconnect, Refused, Send
from headrace.codec.socks_client import Socks4aClient, Socks5Client
from headrace.documents.client_config import ClientConfig
from headrace.documents.custom_headers import read_custom_headers
from headrace.documents.upstream_proxy_url import ProxyURL
from headrace.net.dial import dial
from headrace.net.streams import SocketStream

__all__ = ["UpstreamProxy", "UpstreamProxyError"]

#: Connections that one negotiation may take: a log-in has few steps.
MAX_CONNECTIONS: Final = 4

_BROKE: Final = "the upstream proxy broke the connection: check scheme and port in its URL"
_REMEDY: Final = "check host and port in its URL, and that the proxy runs"

P = TypeVar("P", bound=asyncio.BaseProtocol)


class UpstreamProxyError(NetworkError):
    """The upstream proxy cannot be reached, or does not do as it is asked."""


class UpstreamProxy:
    """A proxy to connect through. What it raises when connecting is UpstreamProxyError or ConnectTimeout.

    `headers` are added to what an HTTP proxy is asked; `device` is the network interface that leads to it.
    """

    def __init__(
        self,
        url: ProxyURL,
        headers: Sequence[tuple[str, str]] = (),
        rng: Rng = SYSTEM_RNG,
        *,
        device: str = "",
    ) -> None:
        self._url = url
        self._headers = headers
        self._device = device
        self._rng = rng

    @classmethod
    def parse(cls, text: str, headers: Sequence[tuple[str, str]] = (), *, device: str = "") -> Self:
        """Return the proxy of a URL. Raises DocumentError, which does not repeat it."""
        try:
            return cls(ProxyURL.parse(text), headers, device=device)
        except DocumentError as error:
            raise DocumentError(f"the upstream proxy's URL {error}") from None

    @classmethod
    def from_config(cls, config: ClientConfig) -> Self | None:
        """Return the configured proxy, if there is one."""
        if not config.upstream_proxy_url:
            return None
        headers = read_custom_headers(config.custom_headers)
        return cls.parse(config.upstream_proxy_url, headers, device=config.bind_interface)

    @property
    def kind(self) -> str:
        """What it speaks: `http`, `socks4a` or `socks5`."""
        return self._url.scheme

    @property
    def host(self) -> str:
        """Its name or address."""
        return self._url.host

    @property
    def header_names(self) -> list[str]:
        """The names of the headers that are added, each once, as they go into reports."""
        return list(dict.fromkeys(name for name, _ in self._headers)) if self.kind == "http" else []

    async def connect(self, host: str, port: int, timeout: float) -> SocketStream:
        """Return a stream to the destination."""
        return await self._connect(host, port, timeout)

    async def dial(self, host: str, port: int, factory: Callable[[], P], timeout: float) -> P:
        """Connect a protocol to the destination; return it."""
        stream = await self._connect(host, port, timeout)
        protocol = factory()
        try:
            stream.hand_over(protocol)
        except NetworkError as error:
            raise UpstreamProxyError(_BROKE) from error
        return protocol

    async def _connect(self, host: str, port: int, timeout: float) -> "_ProxiedStream":
        negotiation = self._negotiation(host, port)
        stream = None
        try:
            async with asyncio.timeout(timeout):
                for _ in range(MAX_CONNECTIONS):
                    stream = await self._reach(timeout)
                    try:
                        if await _negotiate(negotiation, stream):
                            return stream
                        stream.close()
                    except BaseException:
                        stream.abort()
                        raise
        except TimeoutError as error:
            if stream is None:
                raise UpstreamProxyError(
                    f"the upstream proxy cannot be reached: no connection within {timeout:g} s; {_REMEDY}"
                ) from error
            raise ConnectTimeout(f"no connection through the upstream proxy within {timeout:g} s") from error
        raise UpstreamProxyError(
            "the upstream proxy closes one connection after the other: check the scheme in its URL"
        )

    async def _reach(self, timeout: float) -> "_ProxiedStream":
        try:
            return await dial(self._url.host, self._url.port, _ProxiedStream, timeout, self._device)
        except NetworkError as error:
            raise UpstreamProxyError(f"the upstream proxy cannot be reached: {error}; {_REMEDY}") from error

    def _negotiation(self, host: str, port: int) -> Negotiation:
        url = self._url
        if url.scheme == "http":
            from headrace.codec.http_connect import HttpConnect  # takes 10 ms, which few need

            identity = Identity(url.user, url.password, url.host)
            return HttpConnect(host, port, identity, self._rng, self._headers)
        if url.scheme == "socks4a":
            return Socks4aClient(host, port, url.user)
        return Socks5Client(host, port, url.user, url.password)


async def _negotiate(negotiation: Negotiation, stream: "_ProxiedStream") -> bool:
    """Return True once the stream leads to the destination, False if another connection is needed."""
    output = negotiation.start()
    broken: NetworkError | None = None
    while True:
        try:
            await stream.write(output)
            received = await stream.read()
        except NetworkError as error:  # an end like any other to some proxies: they go on on another one
            received, broken = b"", error
        output = b""
        for step in negotiation.receive(received):
            match step:
                case Send(data):
                    output += data
                case Connected(leftover):
                    stream.put_back(leftover)
                    return True
                case Reconnect():
                    return False
                case Refused(reason):
                    raise UpstreamProxyError(_BROKE if broken else reason) from broken


class _ProxiedStream(SocketStream):
    """A stream whose beginning belongs to the proxy."""

    def put_back(self, data: bytes) -> None:
        """Have `data` read again."""
        if data:
            self._unread.appendleft(data)
            self._size += len(data)
