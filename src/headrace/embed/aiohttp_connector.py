"""aiohttp through the tunnel. Importing this loads aiohttp.

The connector is aiohttp's own for TCP but for two things: a name is resolved at the far end, so here it
stands for itself, and the tunnel makes the connections. So it does to proxies that a request names.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler

from headrace.embed.connections import CONNECT_TIMEOUT
from headrace.embed.errors import ConnectionFailed
from headrace.ssh.forwarding import Failure

__all__ = ["TunnelConnector"]


class TunnelConnector(aiohttp.TCPConnector):
    """Connections that `create_connection` makes, which is a tunnel's."""

    def __init__(
        self, create_connection: Callable[..., Awaitable[tuple[asyncio.Transport, Any]]], **settings: Any
    ) -> None:
        super().__init__(resolver=_FarEnd(), use_dns_cache=False, **settings)
        self._create = create_connection

    async def _wrap_create_connection(
        self,
        *args: Any,
        addr_infos: list[Any],
        req: aiohttp.ClientRequest,
        timeout: aiohttp.ClientTimeout,
        client_error: type[Exception] = aiohttp.ClientConnectorError,
        **kwargs: Any,
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        host, port, *_ = addr_infos[0][-1]
        limit = timeout.sock_connect or CONNECT_TIMEOUT
        try:
            transport, protocol = await self._create(*args, host, port, timeout=limit, **kwargs)
        except ssl.SSLCertVerificationError as error:
            raise aiohttp.ClientConnectorCertificateError(req.connection_key, error) from error
        except ssl.SSLError as error:
            raise aiohttp.ClientConnectorSSLError(req.connection_key, error) from error
        except OSError as error:
            if isinstance(error, ConnectionFailed) and error.why is Failure.TIMED_OUT:
                raise TimeoutError from error  # which aiohttp explains
            raise client_error(req.connection_key, error) from error
        fingerprint = self._get_fingerprint(req)
        if fingerprint is not None and req.is_ssl():
            try:
                fingerprint.check(transport)
            except aiohttp.ServerFingerprintMismatch:
                transport.abort()  # aiohttp would go on to look for its socket
                raise
        return transport, protocol


class _FarEnd(AbstractResolver):
    """Leaves names as they are."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host=host, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing is held."""
