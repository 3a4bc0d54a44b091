"""The local HTTP proxy as a whole: what all its connections share (client spec §2.3).

a connection ──► HttpConnection ──► CONNECT ───────► a Relay
                   ▲          ├───► http://... ────► HttpForward ──► HttpOrigin, through the tunnel or past it
                   │          │                        │
                   │          └───► /... ────────────► LocalPages
                   └──────────────── anything else ◄───┘
"""

from typing import Final

from headrace.client.http_forward import HttpForward
from headrace.client.http_origins import HttpOrigins
from headrace.client.local_connection import PortForwarder
from headrace.client.local_http import HttpConnection
from headrace.client.proxy_options import ProxyOptions
from headrace.codec.http_basic import basic_credentials
from headrace.codec.http_head import RequestHead
from headrace.net.deadlines import Deadlines

__all__ = ["HttpProxy"]

#: Seconds for the head of a request from its first byte; for which a connection is kept without a request;
#: for an application to take the last answer while it still sends.
HEAD_TIMEOUT: Final = 15.0
IDLE_TIMEOUT: Final = 300.0
LAST_LOOK: Final = 1.0


class HttpProxy:
    """Makes the proxy's connections. Its answers to slow origins come `latency` times as late."""

    def __init__(self, forwarder: PortForwarder, options: ProxyOptions, latency: float = 1.0) -> None:
        self.forwarder = forwarder
        self.options = options
        self.origins = HttpOrigins(forwarder, latency)
        loop = forwarder.loop
        self.reading = Deadlines(loop, HEAD_TIMEOUT, HttpForward.too_slow)
        self.keeping = Deadlines(loop, IDLE_TIMEOUT, HttpForward.close)
        self.leaving = Deadlines(loop, LAST_LOOK, HttpForward.close)

    def connection(self) -> HttpConnection:
        """Return the protocol for a new connection."""
        return HttpConnection(self)

    def admits(self, request: RequestHead) -> bool:
        """Whether the application may ask: it says who it is with each request, where that matters.

        What is for the proxy itself is for `LocalPages` to admit.
        """
        credentials = self.options.credentials
        if credentials is None or request.target.form == "origin":
            return True
        said = basic_credentials(request.fields.authorization)
        return said is not None and credentials.match(*said)

    def close(self) -> None:
        """Close what idles. Connections in use end with their sockets."""
        for deadlines in (self.reading, self.keeping, self.leaving, self.origins):
            deadlines.close()
