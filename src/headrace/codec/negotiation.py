"""What comes out of negotiating with a proxy as its client, whatever the proxy speaks.

start() ──► write ──► receive() ──► Send ... ──► Connected
                                 ├─► Reconnect: start() again, on a new connection
                                 └─► Refused
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

__all__ = [
    "CLOSED",
    "LOGIN_WANTED",
    "WRONG_LOGIN",
    "Connected",
    "Negotiation",
    "Reconnect",
    "Refused",
    "Send",
    "Step",
]


@dataclass(frozen=True, slots=True)
class Send:
    """Write `data` and keep reading."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Connected:
    """The connection leads to the destination now; `leftover` has come from there already."""

    leftover: bytes


@dataclass(frozen=True, slots=True)
class Reconnect:
    """The proxy goes on only on another connection."""


@dataclass(frozen=True, slots=True)
class Refused:
    """That is all there is to be had; `reason` is for people, and names no address."""

    reason: str


Step = Send | Connected | Reconnect | Refused

# What any proxy can say, and what to do about it.
CLOSED = Refused("the upstream proxy closed the connection: check scheme and port in its URL")
LOGIN_WANTED = Refused("the upstream proxy wants a user name and password: write them into its URL")
WRONG_LOGIN = Refused(
    "the upstream proxy does not accept the user name and password: correct them in its URL"
)


class Negotiation(ABC):
    """One destination asked for, on one connection or several. It is over once it gave no Send."""

    @abstractmethod
    def start(self) -> bytes:
        """Return what to write on a new connection to the proxy."""

    @abstractmethod
    def receive(self, data: bytes) -> list[Step]:
        """Return what follows from `data`, in order; b"" is the end of what the proxy sends.

        An empty list means more bytes are needed; at the end there is never one.
        """
