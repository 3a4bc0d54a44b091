"""SOCKS 4a and 5 as a client speaks them: one CONNECT request, names left to the proxy.

The other side of this is `codec.socks`. Sources: SOCKS4 and 4a memos, RFC 1928, RFC 1929; client spec §3.
"""

import ipaddress
from collections.abc import Callable
from typing import Final

from headrace.base.errors import NetworkError
from headrace.codec.host_names import parse_host
from headrace.codec.negotiation import (
    CLOSED,
    LOGIN_WANTED,
    WRONG_LOGIN,
    Connected,
    Negotiation,
    Refused,
    Send,
    Step,
)

__all__ = ["MAX_TEXT", "Socks4aClient", "Socks5Client"]

#: Bytes of a user name or a password; names of hosts have no more either.
MAX_TEXT: Final = 255
_CONNECT: Final = 1
_IPV4, _DOMAIN, _IPV6 = 1, 3, 4
_ADDRESS_SIZES: Final = {_IPV4: 4, _IPV6: 16}
_NO_AUTHENTICATION, _PASSWORD = 0, 2
_GRANTED: Final = 0x5A
#: RFC 1928 §6.
_REASONS: Final = {
    2: "its rules do not allow the connection; ask its operator which ports may be connected to",
    3: "the network is unreachable; another server may be in reach",
    4: "the host is unreachable; another server may be in reach",
    5: "the connection was refused; another server may be in reach",
    6: "the connection took too many hops; another server may be in reach",
    7: "it does not make connections; use a proxy that does",
    8: "it does not know this kind of address; another server may have one that it knows",
}
_NO_REASON: Final = "it does not say why; another server may be in reach"
_NO_WAY: Final = Refused(
    "the upstream proxy offers no way to log in by a user name and password that works here: "
    "ask its operator for RFC 1929"
)
_GARBAGE: Final = Refused(
    "the upstream proxy does not answer as SOCKS should: check scheme and port in its URL"
)


class _Stepwise(Negotiation):
    """Collects bytes until the step at hand has enough of them."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._step: Callable[[], Step | None] = self._nothing

    def receive(self, data: bytes) -> list[Step]:
        if not data:
            return [CLOSED]
        self._buffer += data
        steps: list[Step] = []
        while (step := self._step()) is not None:
            steps.append(step)
            if not isinstance(step, Send):
                self._step = self._nothing
        return steps

    def _nothing(self) -> Step | None:
        """It is over, or has not begun."""
        return None

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken


class Socks4aClient(_Stepwise):
    """Asks a SOCKS4a proxy for `host`:`port`, as `user`. Raises NetworkError for an IPv6 literal."""

    def __init__(self, host: str, port: int, user: str = "") -> None:
        super().__init__()
        where = parse_host(host)
        if isinstance(where, ipaddress.IPv6Address):
            raise NetworkError("SOCKS4a cannot reach IPv6 addresses; use a proxy with SOCKS5 or HTTP")
        name = where if isinstance(where, str) else ""
        address = b"\0\0\0\1" if isinstance(where, str) else where.packed
        self._request = bytes((4, _CONNECT)) + port.to_bytes(2, "big") + address + user.encode() + b"\0"
        if name:
            self._request += name.encode() + b"\0"

    def start(self) -> bytes:
        self._buffer.clear()
        self._step = self._reply
        return self._request

    def _reply(self) -> Step | None:
        # 00 | code | port | IPv4
        buffer = self._buffer
        if buffer[0] != 0:
            return _GARBAGE
        if len(buffer) >= 2 and buffer[1] != _GRANTED:
            return Refused(f"the upstream proxy did not connect: {_NO_REASON}")
        if len(buffer) < 8:
            return None
        self._take(8)
        return Connected(self._take(len(buffer)))


class Socks5Client(_Stepwise):
    """Asks a SOCKS5 proxy for `host`:`port`; logs in if there is a user name and the proxy wants it."""

    def __init__(self, host: str, port: int, user: str = "", password: str = "") -> None:
        super().__init__()
        where = parse_host(host)
        if isinstance(where, str):
            address = bytes((_DOMAIN, len(where))) + where.encode()
        else:
            address = bytes((_IPV4 if where.version == 4 else _IPV6,)) + where.packed
        self._request = bytes((5, _CONNECT, 0)) + address + port.to_bytes(2, "big")
        self._login = _field(user) + _field(password) if user else b""

    def start(self) -> bytes:
        self._buffer.clear()
        self._step = self._method
        return bytes((5, 2, _NO_AUTHENTICATION, _PASSWORD) if self._login else (5, 1, _NO_AUTHENTICATION))

    def _method(self) -> Step | None:
        # 05 | method
        if self._buffer and self._buffer[0] != 5:
            return _GARBAGE
        if len(self._buffer) < 2:
            return None
        method = self._take(2)[1]
        if method == _NO_AUTHENTICATION:
            self._step = self._reply
            return Send(self._request)
        if method == _PASSWORD and self._login:
            self._step = self._status
            return Send(b"\x01" + self._login)
        if self._login:
            return _NO_WAY
        return LOGIN_WANTED

    def _status(self) -> Step | None:
        # 01 | status. What the first byte is matters to nobody, and some send 05.
        if len(self._buffer) < 2:
            return None
        if self._take(2)[1] != 0:
            return WRONG_LOGIN
        self._step = self._reply
        return Send(self._request)

    def _reply(self) -> Step | None:
        # 05 | code | 00 | address type | address | port
        buffer = self._buffer
        if buffer and buffer[0] != 5:
            return _GARBAGE
        if len(buffer) >= 2 and buffer[1] != 0:
            reason = _REASONS.get(buffer[1], _NO_REASON)
            return Refused(f"the upstream proxy did not connect: {reason}")
        if len(buffer) < 5:
            return None
        size = 1 + buffer[4] if buffer[3] == _DOMAIN else _ADDRESS_SIZES.get(buffer[3])
        if size is None:
            return _GARBAGE
        if len(buffer) < 4 + size + 2:
            return None
        self._take(4 + size + 2)
        return Connected(self._take(len(buffer)))


def _field(text: str) -> bytes:
    data = text.encode()
    return bytes((len(data),)) + data
