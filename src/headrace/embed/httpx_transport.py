"""httpx through the tunnel. Importing this loads httpx.

httpx gives no say in where its pool has connections from, so the pool is given another network backend. Its
errors are httpcore's, which httpx turns into its own.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx

from headrace.base.errors import HeadraceError
from headrace.client.forward_stream import ForwardFailed
from headrace.embed.connections import CONNECT_TIMEOUT
from headrace.net.streams import ByteStream
from headrace.net.tls import TlsStream
from headrace.ssh.forwarding import Failure

__all__ = ["make_transport"]


def make_transport(
    connect: Callable[[str, int, float], Awaitable[ByteStream]], **settings: Any
) -> httpx.AsyncHTTPTransport:
    """Return httpx's own transport, whose connections `connect` makes, given host, port and a time limit."""
    transport = httpx.AsyncHTTPTransport(**settings)
    transport._pool._network_backend = _Backend(connect)
    return transport


class _Backend(httpcore.AsyncNetworkBackend):
    def __init__(self, connect: Callable[[str, int, float], Awaitable[ByteStream]]) -> None:
        self._connect = connect

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            return _Stream(await self._connect(host, port, timeout or CONNECT_TIMEOUT))
        except ForwardFailed as error:
            late = error.why is Failure.TIMED_OUT
            raise (httpcore.ConnectTimeout if late else httpcore.ConnectError)(str(error)) from error

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with _errors_as(httpcore.ReadTimeout, httpcore.ReadError):
            async with asyncio.timeout(timeout):
                return await self._stream.read(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        with _errors_as(httpcore.WriteTimeout, httpcore.WriteError):
            async with asyncio.timeout(timeout):
                await self._stream.write(buffer)

    async def aclose(self) -> None:
        self._stream.close()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        with _errors_as(httpcore.ConnectTimeout, httpcore.ConnectError):
            async with asyncio.timeout(timeout):
                return _Stream(await TlsStream.start(self._stream, ssl_context, server_hostname or ""))

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            return not self._stream.quiet
        if info == "ssl_object" and isinstance(self._stream, TlsStream):
            return self._stream.ssl_object
        return None


@contextmanager
def _errors_as(late: type[Exception], broken: type[Exception]) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise late from error
    except HeadraceError as error:
        raise broken(str(error)) from error
