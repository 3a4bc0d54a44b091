"""The local HTTP proxy (client spec §2.3): CONNECT here, plain requests in `http_forward`."""

from typing import Final

from headrace.base.errors import RemoteProtocolError
from headrace.client.http_forward import HttpForward
from headrace.client.local_connection import LocalConnection, PortForwarder
from headrace.client.proxy_options import ProxyOptions
from headrace.codec.http_head import parse_head
from headrace.ssh.forwarding import Destination, Failure

__all__ = ["HttpConnection"]

_ESTABLISHED = b"HTTP/1.1 200 OK\r\n\r\n"
_EMPTY = b"HTTP/1.1 %b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_BAD_REQUEST = _EMPTY % b"400 Bad Request"
_STATUSES: Final = {
    Failure.TIMED_OUT: b"504 Gateway Timeout",
    Failure.FORBIDDEN: b"403 Forbidden",
    Failure.NO_TUNNEL: b"503 Service Unavailable",
}


class HttpConnection(LocalConnection):
    """One application's HTTP proxy connection, until its first request is read."""

    def __init__(self, forwarder: PortForwarder, options: ProxyOptions) -> None:
        super().__init__(forwarder, options)
        self._head = b""

    def negotiate(self, data: bytes) -> None:
        self._head += data
        try:
            head = parse_head(self._head)
        except RemoteProtocolError:
            self.end(_BAD_REQUEST)
            return
        if head is None:
            return
        target = head.target
        if target.form == "connect":
            self.open(Destination(target.host, target.port), head.leftover)
        elif target.form == "absolute":
            forward = HttpForward(self._forwarder)
            forward.take_over(self.hand_over(forward), self._head)
        else:
            self.end(_BAD_REQUEST)

    def success(self) -> bytes:
        return _ESTABLISHED

    def failure(self, why: Failure) -> bytes:
        return _EMPTY % _STATUSES.get(why, b"502 Bad Gateway")
