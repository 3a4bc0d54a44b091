"""The extra data of a `direct-tcpip` channel (RFC 4254 §7.2)."""

from dataclasses import dataclass
from typing import Final

from headrace.base.errors import RemoteProtocolError
from headrace.ssh.wire import Reader, string, u32

__all__ = ["DIRECT_TCPIP", "DIRECT_TCPIP_UNSPLIT", "LIVENESS", "Destination"]

DIRECT_TCPIP: Final = b"direct-tcpip"
#: The same, never refused for split tunnelling (tunnel spec §6).
DIRECT_TCPIP_UNSPLIT: Final = b"direct-tcpip-no-split-tunnel@psiphon.ca"
LIVENESS: Final = b"random@psiphon.ca"

#: Bytes in the longest host name, dots included (RFC 1035 §2.3.4).
MAX_HOST: Final = 255


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a port forward goes: a host name or address literal, and a port."""

    host: str
    port: int

    @property
    def possible(self) -> bool:
        """Whether anything can have this address; a server may end the tunnel of who asks for another."""
        return 0 < self.port <= 0xFFFF and 0 < len(self.host.encode()) <= MAX_HOST

    def encode(self) -> bytes:
        """Return the extra data; the originator is nobody's business and always the same."""
        return string(self.host.encode()) + u32(self.port) + string(b"127.0.0.1") + u32(0)

    @classmethod
    def parse(cls, extra: memoryview) -> "Destination":
        """Read the extra data. Raises RemoteProtocolError."""
        reader = Reader(extra)
        destination = cls(reader.text(), reader.u32())
        reader.string()
        reader.u32()
        if not destination.possible:
            raise RemoteProtocolError("a port forward to nowhere")
        return destination
