"""The local proxies of a run: opened before there is any tunnel, and open until the end.

SOCKS, HTTP ──► a port, or the first of some that is free ─┬─► connections, each in its own hands,
            └─► a Unix socket                             ─┘   all of which end when the proxies do
"""

import asyncio
import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

from headrace.base.errors import OperatorError
from headrace.client.http_proxy import HttpProxy
from headrace.client.local_connection import LocalConnection, PortForwarder
from headrace.client.local_socks import SocksConnection
from headrace.client.notices import Notices
from headrace.client.proxy_options import ProxyOptions
from headrace.documents.client_config import ClientConfig
from headrace.net.dial import listen
from headrace.net.unix_socket import unix_socket

__all__ = ["LocalProxies"]


class _Proxy(NamedTuple):
    name: str  #: as fields and notices have it
    connection: Callable[[], LocalConnection]
    port: int
    path: str

    @property
    def what(self) -> str:
        return f"the local {self.name.upper()} proxy"


class LocalProxies:
    """SOCKS and HTTP, as far as they are configured; `forwarder` is asked for each port forward."""

    def __init__(self, config: ClientConfig, forwarder: PortForwarder, notices: Notices) -> None:
        self.ports: dict[str, int] = {}  #: by name, once they listen
        self._config = config
        self._forwarder = forwarder
        self._notices = notices
        self._options = ProxyOptions()
        self._http: HttpProxy | None = None
        self._servers: dict[str, asyncio.Server] = {}  # by what they are
        self._held = ExitStack()  # Unix sockets, which leave a file

    async def open(self) -> None:
        """Listen. Raises OperatorError, after a notice if it is for a port that is taken."""
        self._options = options = ProxyOptions.of(self._config, self.ports)
        if options.warning:
            self._notices.warning(options.warning)
        for proxy in self._wanted():
            if self._config.use_unix_domain_sockets:
                what = f"{proxy.what} (Local{proxy.name}ProxyUnixPath)"
                bound = self._held.enter_context(unix_socket(proxy.path, what=what))
                loop = asyncio.get_running_loop()
                self._servers[proxy.what] = await loop.create_unix_server(proxy.connection, sock=bound)
                self._notices.emit(f"Listening{proxy.name}ProxyUnixPath", path=proxy.path)
            else:
                self._servers[proxy.what] = server = await self._listen(proxy)
                self.ports[proxy.name] = server.sockets[0].getsockname()[1]
                self._notices.emit(f"Listening{proxy.name}ProxyPort", port=self.ports[proxy.name])

    def check(self) -> None:
        """Raise OperatorError if a proxy listens no more though nobody has closed it."""
        for what, server in self._servers.items():
            if not all(map(_accepts, server.sockets)):
                raise OperatorError(
                    f"{what} can accept no more connections: the system has closed its socket"
                )

    def close(self) -> None:
        """Listen no more, and end every connection."""
        for server in self._servers.values():
            server.close()
        self._servers.clear()
        self._held.close()
        for tcp in list(self._options.connections):
            tcp.abort()
        if self._http is not None:
            self._http.close()

    def _wanted(self) -> Iterator[_Proxy]:
        config = self._config
        if not config.disable_local_socks_proxy:
            port, path = config.local_socks_proxy_port, config.local_socks_proxy_unix_path
            yield _Proxy("Socks", partial(SocksConnection, self._forwarder, self._options), port, path)
        if not config.disable_local_http_proxy:
            port, path = config.local_http_proxy_port, config.local_http_proxy_unix_path
            if self._http is None:
                latency = config.network_latency_multiplier or 1.0
                self._http = HttpProxy(self._forwarder, self._options, latency)
            yield _Proxy("Http", self._http.connection, port, path)

    async def _listen(self, proxy: _Proxy) -> asyncio.Server:
        """Listen on the port that is wanted, or on one after it."""
        config, wanted = self._config, proxy.port
        last = min(wanted + config.local_proxy_port_attempts - 1, 0xFFFF) if wanted else 0
        others = {other.port for other in self._wanted()} - {wanted}  # which are left to them
        taken: OperatorError | None = None
        for port in range(wanted, last + 1):
            if port in others:
                continue
            what = f"{proxy.what} (Local{proxy.name}ProxyPort)"
            try:
                server = await listen(proxy.connection, self._options.address, port, what=what)
            except OperatorError as error:
                if not (isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EADDRINUSE):
                    raise
                taken = taken or error
                continue
            if taken:
                self._notices.warning(f"port {wanted} is taken: {proxy.what} listens on port {port} instead")
            return server
        assert taken is not None
        self._notices.emit(f"{proxy.name}ProxyPortInUse", port=wanted)
        raise taken


def _accepts(listener: socket.socket) -> bool:
    try:
        return bool(listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError:
        return False
