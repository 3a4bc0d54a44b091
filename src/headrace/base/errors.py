"""Errors, sorted by who has to act on them.

    HeadraceError
    ├── LocalProtocolError     we are about to break a protocol: a bug of ours
    ├── RemoteProtocolError    the peer broke it; carries the SSH disconnect code to answer with
    ├── NetworkError           the network failed; ConnectRefused, ConnectTimeout, Unreachable, NameNotFound
    │                          and HandshakeTimeout say how
    ├── DocumentError          a document (entry, list, config) is malformed, badly signed or stale
    └── OperatorError          a person must mend something; carries the exit code

Builtin exceptions are used wherever nobody would catch a class of ours specifically.
"""

__all__ = [
    "ConnectRefused",
    "ConnectTimeout",
    "DocumentError",
    "HandshakeTimeout",
    "HeadraceError",
    "LocalProtocolError",
    "NameNotFound",
    "NetworkError",
    "OperatorError",
    "RemoteProtocolError",
    "Unreachable",
]


class HeadraceError(Exception):
    """Root of every error this package raises on purpose."""


class LocalProtocolError(HeadraceError):
    """We tried something the protocol does not allow in this state."""


class RemoteProtocolError(HeadraceError):
    """The peer did something the protocol does not allow.

    `code` is the SSH disconnect reason that tells it so (RFC 4253 §11.1); 2 is "protocol error".
    """

    def __init__(self, message: str, code: int = 2) -> None:
        super().__init__(message)
        self.code = code


class NetworkError(HeadraceError):
    """A connection could not be made, or broke."""


class ConnectRefused(NetworkError):
    """Nobody listens there."""


class ConnectTimeout(NetworkError):
    """No TCP connection in time."""


class Unreachable(NetworkError):
    """No way leads there."""


class NameNotFound(NetworkError):
    """No host has such a name, or it has no address."""


class HandshakeTimeout(NetworkError):
    """The peer accepted the connection but the handshake did not finish in time."""


class DocumentError(HeadraceError):
    """A server entry, list or configuration cannot be used as it stands."""


class OperatorError(HeadraceError):
    """Something a person asked for cannot be done; the text says what to change."""

    def __init__(self, message: str, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code
