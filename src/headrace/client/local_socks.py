"""The local SOCKS4a and SOCKS5 proxy (client spec §2.2)."""

from headrace.client.local_connection import LocalConnection, PortForwarder
from headrace.codec.socks import (
    CONNECTION_REFUSED,
    GENERAL_FAILURE,
    Refused,
    Reply,
    SocksParser,
    Version,
    failure_reply,
    success_reply,
)
from headrace.ssh.forwarding import Destination

__all__ = ["SocksConnection"]


class SocksConnection(LocalConnection):
    """One application's SOCKS connection."""

    def __init__(self, forwarder: PortForwarder) -> None:
        super().__init__(forwarder)
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

    def failure(self, refused: bool) -> bytes:
        return failure_reply(self._version, CONNECTION_REFUSED if refused else GENERAL_FAILURE)
