"""The local SOCKS proxy: SOCKS4, 4a and 5 with its UDP ASSOCIATE (client spec §2.2)."""

from typing import Final

from headrace.client.local_connection import LocalConnection, PortForwarder
from headrace.client.proxy_options import PRIVATE, ProxyOptions
from headrace.client.udp_association import UdpAssociation
from headrace.codec.socks import (
    CONNECTION_REFUSED,
    GENERAL_FAILURE,
    HOST_UNREACHABLE,
    NOT_ALLOWED,
    TTL_EXPIRED,
    Associate,
    Refused,
    Reply,
    SocksParser,
    Version,
    associated_reply,
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

    def __init__(self, forwarder: PortForwarder, options: ProxyOptions = PRIVATE) -> None:
        super().__init__(forwarder, options)
        credentials = options.credentials
        self._parser = SocksParser(credentials.match if credentials is not None else None)
        self._version: Version = 5

    def negotiate(self, data: bytes) -> None:
        for event in self._parser.receive(data):
            if isinstance(event, Reply):
                self.write(event.data)
            elif isinstance(event, Refused):
                self.end(event.reply)
            elif isinstance(event, Associate):
                self._associate(event.port)
            else:
                self._version = event.version
                self.open(Destination(event.host, event.port), event.leftover)

    def _associate(self, announced: int) -> None:
        try:
            association = UdpAssociation(self._forwarder.udp, self._tcp, announced)
        except OSError:
            self.end(failure_reply(5))
            return
        host, port, *_ = association.address
        self.write(associated_reply(host, port))
        self.hand_over(association)

    def success(self) -> bytes:
        return success_reply(self._version)

    def failure(self, why: Failure) -> bytes:
        return failure_reply(self._version, _CODES.get(why, GENERAL_FAILURE))
