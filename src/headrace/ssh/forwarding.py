"""Port forwards: what a `direct-tcpip` channel asks for (RFC 4254 §7.2), and why it is refused (§5.1)."""

from dataclasses import dataclass
from enum import Enum
from typing import Final, Self

from headrace.base.errors import (
    ConnectRefused,
    ConnectTimeout,
    NameNotFound,
    RemoteProtocolError,
    Unreachable,
)
from headrace.ssh import numbers
from headrace.ssh.wire import Reader, string, u32

__all__ = ["DIRECT_TCPIP", "DIRECT_TCPIP_UNSPLIT", "LIVENESS", "Destination", "Failure"]

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


class Failure(Enum):
    """Why a port forward failed.

    The values are what our server writes beside the reason code of a refusal, for people as for programs. The
    deployed one gives the same reason for everything, which tells no more than that it was refused.
    """

    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    NO_SUCH_NAME = "name not found"
    TIMED_OUT = "timed out"
    FORBIDDEN = "forbidden"
    NO_TUNNEL = "no tunnel"
    FAILED = "failed"

    @property
    def reason(self) -> int:
        """The reason code that goes with it."""
        return numbers.ADMINISTRATIVELY_PROHIBITED if self is Failure.FORBIDDEN else numbers.CONNECT_FAILED

    @classmethod
    def of_refusal(cls, text: str) -> Self:
        """Return what a server's refusal says."""
        return next((failure for failure in cls if failure.value == text), cls.REFUSED)

    @classmethod
    def of_error(cls, error: BaseException) -> Self:
        """Return what an error means that came of dialling the destination."""
        return next((failure for kind, failure in _ERRORS if isinstance(error, kind)), cls.FAILED)


_ERRORS: Final = (
    (ConnectRefused, Failure.REFUSED),
    (Unreachable, Failure.UNREACHABLE),
    (NameNotFound, Failure.NO_SUCH_NAME),
    (ConnectTimeout, Failure.TIMED_OUT),
    (PermissionError, Failure.FORBIDDEN),
)
