"""SOCKS4, 4a and 5 as a server sees them: one request, read in pieces of any size.

    first byte ── 4 ──► request ──────────────────────────► Request
         │
         └────── 5 ──► methods ──► [user, password] ──► request ──► Request, or Associate

Whatever breaks the protocol ends in Refused, with the bytes to write before closing. Bytes that follow a
Request are early payload and are handed over as `leftover`: clients that do not wait are tolerated.
Sources: SOCKS4 and 4a memos, RFC 1928, RFC 1929; client spec §2.2.
"""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from headrace.base.errors import LocalProtocolError

__all__ = [
    "ADDRESS_TYPE_NOT_SUPPORTED",
    "COMMAND_NOT_SUPPORTED",
    "CONNECTION_REFUSED",
    "GENERAL_FAILURE",
    "HOST_UNREACHABLE",
    "NOT_ALLOWED",
    "TTL_EXPIRED",
    "Associate",
    "Event",
    "Refused",
    "Reply",
    "Request",
    "SocksParser",
    "Version",
    "associated_reply",
    "failure_reply",
    "parse_name",
    "success_reply",
]

# Reply codes, RFC 1928 §6.
GENERAL_FAILURE = 1
NOT_ALLOWED = 2
HOST_UNREACHABLE = 4
CONNECTION_REFUSED = 5
TTL_EXPIRED = 6
COMMAND_NOT_SUPPORTED = 7
ADDRESS_TYPE_NOT_SUPPORTED = 8

_CONNECT, _UDP_ASSOCIATE = 1, 3
_IPV4, _DOMAIN, _IPV6 = 1, 3, 4
_NO_AUTHENTICATION, _PASSWORD, _NONE_ACCEPTABLE = 0, 2, 0xFF
_NO_ADDRESS = bytes(6)  # 0.0.0.0 port 0: the address bound at the far end is nobody's business
_MAX_TEXT = 255  # longest user ID or name accepted in SOCKS4, which itself sets no limit

Version = Literal[4, 5]


@dataclass(frozen=True, slots=True)
class Reply:
    """Write `data` and keep reading."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """The client wants `host`:`port`. The parser is done; later bytes are payload, like `leftover`.

    `host` is a name, or the text of an IPv4 or IPv6 address; names are for the far end to resolve.
    """

    host: str
    port: int
    version: Version
    leftover: bytes


@dataclass(frozen=True, slots=True)
class Associate:
    """The client wants to send datagrams, from `port` if it is not 0. It says no more on this connection."""

    port: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Write `reply` if there is any, and close."""

    reply: bytes


Event = Reply | Request | Associate | Refused
Check = Callable[[bytes, bytes], bool]
"""Says whether a user and a password, neither of them empty, are right."""


def success_reply(version: Version) -> bytes:
    """Return the answer to a request that was carried out."""
    return b"\x05\0\0\x01" + _NO_ADDRESS if version == 5 else b"\0\x5a" + _NO_ADDRESS


def associated_reply(host: str, port: int) -> bytes:
    """Return the answer to Associate: datagrams are to be sent to this address, without its zone."""
    address = ipaddress.ip_address(host.partition("%")[0]).packed
    return bytes((5, 0, 0, _IPV4 if len(address) == 4 else _IPV6)) + address + port.to_bytes(2, "big")


def failure_reply(version: Version, code: int = GENERAL_FAILURE) -> bytes:
    """Return the answer to a request that failed; SOCKS4 knows a single code for that."""
    return bytes([5, code, 0, 1]) + _NO_ADDRESS if version == 5 else b"\0\x5b" + _NO_ADDRESS


class SocksParser:
    """Feed what the client sends to `receive` until a Request, an Associate or Refused comes out.

    With `check` everyone has to log in, which SOCKS4 cannot; without it any user and password are right.
    """

    __slots__ = ("_buffer", "_check", "_finished", "_step")

    def __init__(self, check: Check | None = None) -> None:
        self._check = check
        self._buffer = bytearray()
        self._step = self._start
        self._finished = False

    @property
    def finished(self) -> bool:
        """True once a Request, an Associate or Refused was returned."""
        return self._finished

    def receive(self, data: bytes) -> list[Event]:
        """Return what follows from `data`, in order; an empty list means more bytes are needed."""
        if self._finished:
            raise LocalProtocolError("the SOCKS exchange is over: bytes now belong to the payload")
        self._buffer += data
        events: list[Event] = []
        while not self._finished and (event := self._step()) is not None:
            events.append(event)
            self._finished = not isinstance(event, Reply)
        return events

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def _start(self) -> Event | None:
        if not self._buffer:
            return None
        if self._buffer[0] == 4:
            if self._check is not None:
                return Refused(failure_reply(4))
            self._step = self._request4
        elif self._buffer[0] == 5:
            self._step = self._methods
        else:
            return Refused(b"")
        return self._step()

    def _methods(self) -> Event | None:
        # 05 | count | methods
        if len(self._buffer) < 2 or len(self._buffer) < 2 + self._buffer[1]:
            return None
        methods = self._take(2 + self._buffer[1])[2:]
        if _NO_AUTHENTICATION in methods and self._check is None:
            self._step = self._request5
            return Reply(bytes([5, _NO_AUTHENTICATION]))
        if _PASSWORD in methods:
            self._step = self._password
            return Reply(bytes([5, _PASSWORD]))
        return Refused(bytes([5, _NONE_ACCEPTABLE]))

    def _password(self) -> Event | None:
        # 01 | length | user | length | password
        buffer = self._buffer
        if buffer and buffer[0] != 1:
            return Refused(b"\x01\x01")
        if len(buffer) < 2 or len(buffer) < 3 + buffer[1]:
            return None
        user, password = buffer[1], buffer[2 + buffer[1]]
        if len(buffer) < 3 + user + password:
            return None
        said = self._take(3 + user + password)
        if not user or not password:
            return Refused(b"\x01\x01")
        if self._check is not None and not self._check(said[2 : 2 + user], said[3 + user :]):
            return Refused(b"\x01\x01")
        self._step = self._request5
        return Reply(b"\x01\x00")

    def _request5(self) -> Event | None:
        # 05 | command | 00 | address type | address | port
        buffer = self._buffer
        if buffer and buffer[0] != 5:
            return Refused(failure_reply(5))
        if len(buffer) < 5:
            return None
        command, kind = buffer[1], buffer[3]
        if command not in (_CONNECT, _UDP_ASSOCIATE):
            return Refused(failure_reply(5, COMMAND_NOT_SUPPORTED))
        if kind == _DOMAIN:
            start, size = 5, buffer[4]
        elif kind in (_IPV4, _IPV6):
            start, size = 4, 4 if kind == _IPV4 else 16
        else:
            return Refused(failure_reply(5, ADDRESS_TYPE_NOT_SUPPORTED))
        if len(buffer) < start + size + 2:
            return None
        request = self._take(start + size + 2)
        address, port = request[start:-2], int.from_bytes(request[-2:], "big")
        if command == _UDP_ASSOCIATE:
            return Associate(port)
        host = parse_name(address) if kind == _DOMAIN else str(ipaddress.ip_address(address))
        if host is None:
            return Refused(failure_reply(5))
        return Request(host, port, 5, self._take(len(buffer)))

    def _request4(self) -> Event | None:
        # 04 | command | port | IPv4 | user ID | 00, and in 4a: IPv4 is 0.0.0.x, x > 0, then name | 00
        buffer = self._buffer
        if len(buffer) >= 2 and buffer[1] != _CONNECT:
            return Refused(b"")
        user_end = buffer.find(0, 8, 8 + _MAX_TEXT + 1)
        if user_end < 0:
            return Refused(b"") if len(buffer) > 8 + _MAX_TEXT else None
        port, address = int.from_bytes(buffer[2:4], "big"), bytes(buffer[4:8])
        host: str | None
        if address[:3] == b"\0\0\0" and address[3]:
            name_end = buffer.find(0, user_end + 1, user_end + _MAX_TEXT + 2)
            if name_end < 0:
                return Refused(b"") if len(buffer) > user_end + 1 + _MAX_TEXT else None
            host, end = parse_name(bytes(buffer[user_end + 1 : name_end])), name_end + 1
        else:
            host, end = str(ipaddress.IPv4Address(address)), user_end + 1
        if host is None:
            return Refused(failure_reply(4))
        self._take(end)
        return Request(host, port, 4, self._take(len(buffer)))


def parse_name(raw: bytes) -> str | None:
    """Return a host name, or None when it is empty or holds what no name can hold."""
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        return None
    return name if name and name.isprintable() and " " not in name else None
