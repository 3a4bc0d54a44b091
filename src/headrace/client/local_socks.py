"""The local SOCKS4a and SOCKS5 proxy (client spec §2.2)."""

from typing import Final

from headrace.client.local_connection import LocalConnection, PortForwarder
from headrace.client.proxy_options import ProxyOptions
from headrace.codec.socks import (
    CONNECTION_REFUSED,
    GENERAL_FAILURE,
    HOST_UNREACHABLE,
    NOT_ALLOWED,
    TTL_EXPIRED,
    Refused,
    Reply,
    SocksParser,
    Version,
    failure_reply,
    success_reply,
)
from headrace.ssh.forwarding import Destination, Failure

__all__ = ["SocksConnection"]

_CODES: Final = {
    Failure.REFUSED: CONNECTION_REFUSED,
    Failure.UNREACHABLE: HOST_UNREACHABLE,
    Failure.NO_SUCH_NAME: HOST_UNREACHABLE,
    Failure.TIMED_OUT: TTL_EXPIRED,
    Failure.FORBIDDEN: NOT_ALLOWED,
}


class SocksConnection(LocalConnection):
    """One application's SOCKS connection."""

    def __init__(self, forwarder: PortForwarder, options: ProxyOptions) -> None:
        super().__init__(forwarder, options)
        self._parser = SocksParser()
        self._version: Version = 5

    def negotiate(self, data: bytes) -> None:
        for event in self._parser.receive(data):
            if isinstance(event, Reply):
                self.write(event.data)
            elif isinstance(event, Refused):
                self.end(event.reply)
            else:
                self._version = event.version
                self.open(Destination(event.host, event.port), event.leftover)

    def success(self) -> bytes:
        return success_reply(self._version)

    def failure(self, why: Failure) -> bytes:
        return failure_reply(self._version, _CODES.get(why, GENERAL_FAILURE))
