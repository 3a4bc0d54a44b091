"""urllib3 through the tunnel. Importing this loads urllib3."""

import socket
import ssl
from collections.abc import Callable
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util.timeout import Timeout

from headrace.embed.errors import ConnectionFailed
from headrace.ssh.forwarding import Failure

__all__ = ["Connect", "make_pool_manager"]

#: Given host and port, and seconds for it, connect.
Connect = Callable[[tuple[str, int], float | None], socket.socket]


def make_pool_manager(connect: Connect, **settings: Any) -> urllib3.PoolManager:
    """Return urllib3's own manager, whose connections `connect` makes."""

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            timeout = Timeout.resolve_default_timeout(self.timeout)
            try:
                return connect((self.host, self.port), timeout)
            except ConnectionFailed as error:
                if error.why is Failure.TIMED_OUT:
                    raise ConnectTimeoutError(self, str(error)) from error
                raise NewConnectionError(self, str(error)) from error

    class Secure(Plain, HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            if isinstance(self.sock, ssl.SSLSocket):  # an end that TLS knows nothing of is none
                self.sock.suppress_ragged_eofs = False  # type: ignore[attr-defined]

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    manager = urllib3.PoolManager(**settings)
    manager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
    return manager
