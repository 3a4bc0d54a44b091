"""httpx on connections of ours. Importing this loads httpx: only `net.http` does so, when it is needed.

Only its transport is used: its client would add headers, keep cookies and read redirections before us.
httpcore keeps the connections and speaks HTTP/1.1 on them; where it would open a socket or start TLS it asks
us. Its errors become ours here, without its texts, which quote what peers sent.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import httpcore
import httpx

from headrace.base.errors import ConnectTimeout, DocumentError, NetworkError, RemoteProtocolError
from headrace.net.http import CONNECT_TIMEOUT, Connector
from headrace.net.streams import ByteStream
from headrace.net.tls import TlsStream, Trust

__all__ = ["Transport"]

#: Connections kept for the next request, and for how many seconds.
KEPT, KEPT_FOR = 2, 15.0
#: Bytes that are read for an answer's head with all that come before it, each of which takes long to parse.
MAX_HEADS: Final = 128 * 1024
#: How h11 and httpcore say that the peer hung up in the middle.
_HUNG_UP: Final = ("closed connection", "disconnected", "incomplete")

#: How many of these are left, while a task waits for a head.
_left: ContextVar[int | None] = ContextVar("left", default=None)

# At its chattiest it would log whole URLs.
logging.getLogger("httpcore").setLevel(logging.WARNING)


class Transport(httpx.AsyncBaseTransport):
    """Two pools of connections: to servers whose certificate is verified, and to others."""

    def __init__(self, connect: Connector, trust: Trust) -> None:
        self._backend = _Backend(connect)
        self._trust = trust
        self._pools: dict[bool, httpcore.AsyncConnectionPool] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.extensions["target"],
        )
        secure = request.url.scheme == "https"
        with _our_errors(), _heads_bounded():
            response = await self._pool(secure, request.extensions["verify"]).handle_async_request(
                httpcore.Request(
                    method=request.method,
                    url=url,
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        return httpx.Response(
            response.status, headers=response.headers, stream=_Body(response), extensions=response.extensions
        )

    def _pool(self, secure: bool, verify: bool) -> httpcore.AsyncConnectionPool:
        verify = secure and verify
        pool = self._pools.get(verify)
        if pool is None:
            pool = self._pools[verify] = httpcore.AsyncConnectionPool(
                ssl_context=self._trust.context(verify),
                max_keepalive_connections=KEPT,
                keepalive_expiry=KEPT_FOR,
                network_backend=self._backend,
            )
        return pool

    async def aclose(self) -> None:
        for pool in self._pools.values():
            await pool.aclose()


class _Body(httpx.AsyncByteStream):
    """A response's body as it comes."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _our_errors():
            async for piece in self._response.aiter_stream():
                yield piece

    async def aclose(self) -> None:
        await self._response.aclose()


class _Backend(httpcore.AsyncNetworkBackend):
    """Where httpcore gets its connections from."""

    def __init__(self, connect: Connector) -> None:
        self._connect = connect

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return _Stream(await self._connect(host, port, timeout or CONNECT_TIMEOUT))


class _Stream(httpcore.AsyncNetworkStream):
    """One of our streams, as httpcore wants it."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = _left.get()
        if left is not None and left <= 0:
            raise RemoteProtocolError("the server has much to say, but no answer")
        async with asyncio.timeout(timeout):
            data = await self._stream.read(max_bytes)
        if left is not None:
            _left.set(left - len(data))
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            async with asyncio.timeout(timeout):
                await self._stream.write(buffer)
        except NetworkError as error:
            raise httpcore.WriteError from error  # the answer may have come all the same

    async def aclose(self) -> None:
        if isinstance(self._stream, TlsStream):
            await self._stream.finish()
        else:
            self._stream.close()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                return _Stream(await TlsStream.start(self._stream, ssl_context, server_hostname or ""))
        except TimeoutError as error:
            raise ConnectTimeout(f"no TLS within {timeout:g} s") from error

    def get_extra_info(self, info: str) -> Any:
        return not self._stream.quiet if info == "is_readable" else None


@contextmanager
def _heads_bounded() -> Iterator[None]:
    before = _left.set(MAX_HEADS)
    try:
        yield
    finally:
        _left.reset(before)


@contextmanager
def _our_errors() -> Iterator[None]:
    try:
        yield
    except httpcore.RemoteProtocolError as error:
        if any(sign in str(error) for sign in _HUNG_UP):
            raise NetworkError("the answer was cut short") from error
        raise RemoteProtocolError("the server's answer is not HTTP as it should be") from error
    except httpcore.LocalProtocolError as error:
        raise DocumentError("the URL or a header of the request cannot be sent") from error
