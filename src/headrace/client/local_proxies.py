"""The local proxies of a run: opened before there is any tunnel, and open until the end."""

import asyncio
import errno
from functools import partial

from headrace.base.errors import OperatorError
from headrace.client.local_connection import LocalConnection, PortForwarder
from headrace.client.local_http import HttpConnection
from headrace.client.local_socks import SocksConnection
from headrace.client.notices import Notices
from headrace.client.proxy_options import ProxyOptions
from headrace.documents.client_config import ClientConfig
from headrace.net.dial import listen
from headrace.net.interfaces import listening_address

__all__ = ["LocalProxies"]


class LocalProxies:
    """SOCKS and HTTP, as far as they are configured; `forwarder` is asked for each port forward."""

    def __init__(self, config: ClientConfig, forwarder: PortForwarder, notices: Notices) -> None:
        self.ports: dict[str, int] = {}  #: by name, once they listen
        self._config = config
        self._forwarder = forwarder
        self._notices = notices
        self._listeners: list[asyncio.Server] = []
        self._options = ProxyOptions(shared=config.listen_interface != "", ports=self.ports)

    async def open(self) -> None:
        """Listen. Raises OperatorError, after a notice if it is for a port that is taken."""
        config = self._config
        host = listening_address(config.listen_interface)
        proxies: list[tuple[str, bool, int, type[LocalConnection]]] = [
            ("Socks", config.disable_local_socks_proxy, config.local_socks_proxy_port, SocksConnection),
            ("Http", config.disable_local_http_proxy, config.local_http_proxy_port, HttpConnection),
        ]
        for name, disabled, port, kind in proxies:
            if disabled:
                continue
            what = f"the local {name.upper()} proxy (Local{name}ProxyPort)"
            try:
                server = await listen(partial(kind, self._forwarder, self._options), host, port, what=what)
            except OperatorError as error:
                if isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EADDRINUSE:
                    self._notices.emit(f"{name}ProxyPortInUse", port=port)
                raise
            self._listeners.append(server)
            self.ports[name] = server.sockets[0].getsockname()[1]
            self._notices.emit(f"Listening{name}ProxyPort", port=self.ports[name])

    def close(self) -> None:
        """Listen no more."""
        for listener in self._listeners:
            listener.close()
