"""The preamble's bytes: the client's seed message, and what a prefix adds to it (tunnel spec §2 and §3).

    seed(16) ‖ RC4_c2s( magic(4) ‖ padding_length(4) ‖ padding )
    prefix(24 or more) ‖ terminator(16) ‖ seed(16) ‖ RC4_c2s( magic ‖ padding_length ‖ padding ‖ header )

The header is version(2) ‖ length(2) ‖ spec name. Numbers are big-endian. A server that answers a prefix sends
`prefix ‖ terminator` in front of its own obfuscated bytes.

Version 2 of the header, which only our own ends know, says that the prefix is an HTTP head, and that all that
follows it is framed (`headrace.obfuscation.framing`), in both directions. The client's first chunk ends with
the header, the server's with its padding lines.
"""

from headrace.base.errors import RemoteProtocolError
from headrace.base.rng import Rng
from headrace.crypto import hkdf_sha256

__all__ = [
    "CLIENT_TO_SERVER",
    "FRAMED_VERSION",
    "HEADER_FIXED_SIZE",
    "HEADER_VERSION",
    "HEAD_SIZE",
    "MAGIC",
    "MAX_NAME_SIZE",
    "MAX_PADDING",
    "MAX_SEARCH",
    "MIN_CLIENT_PADDING",
    "MIN_SERVER_PADDING",
    "PADDING_SEED_SIZE",
    "SEED_SIZE",
    "SERVER_TO_CLIENT",
    "TERMINATOR_SIZE",
    "TerminatorSearch",
    "prefix_end",
    "prefix_header",
    "seed_message_fields",
    "terminator",
]

CLIENT_TO_SERVER = b"client_to_server"
SERVER_TO_CLIENT = b"server_to_client"

MAGIC = (0x0BF5CA7E).to_bytes(4, "big")
SEED_SIZE = 16
HEAD_SIZE = SEED_SIZE + 4 + 4  # all a server needs to tell a seed message; also the least a prefix takes

MAX_PADDING = 8192
MIN_CLIENT_PADDING = 32
MIN_SERVER_PADDING = 2
PADDING_SEED_SIZE = 32  # this much of the client's padding may seed the server's padding choices

TERMINATOR_SIZE = 16
MAX_SEARCH = 65_536  # bytes after the first 24 in which a terminator may stand

HEADER_FIXED_SIZE = 4
HEADER_VERSION = (1).to_bytes(2, "big")
FRAMED_VERSION = (2).to_bytes(2, "big")
MAX_NAME_SIZE = 4096


def seed_message_fields(padding: bytes) -> bytes:
    """Return what follows the seed in a seed message, not yet enciphered."""
    return MAGIC + len(padding).to_bytes(4, "big") + padding


def prefix_header(name: str, *, framed: bool = False) -> bytes:
    """Return the header that names the prefix spec to the server, not yet enciphered."""
    encoded = name.encode()
    return (FRAMED_VERSION if framed else HEADER_VERSION) + len(encoded).to_bytes(2, "big") + encoded


def terminator(keyword: bytes, head: bytes, label: bytes) -> bytes:
    """Return the 16 bytes that end a prefix whose first 24 bytes are `head`, in the direction `label`."""
    return hkdf_sha256(keyword, salt=head, info=label, length=TERMINATOR_SIZE)


def prefix_end(prefix: bytes, keyword: bytes, label: bytes, rng: Rng) -> bytes:
    """Return what follows a generated prefix: random bytes up to 24, if it is shorter, and the terminator."""
    fill = rng.bytes(max(0, HEAD_SIZE - len(prefix)))
    return fill + terminator(keyword, (prefix + fill)[:HEAD_SIZE], label)


class TerminatorSearch:
    """Skip a stream up to the end of its prefix. The first 24 bytes are known; the rest is fed in."""

    __slots__ = ("_budget", "_tail", "_wanted")

    def __init__(self, keyword: bytes, head: bytes, label: bytes) -> None:
        self._wanted = terminator(keyword, head, label)
        self._tail = b""
        self._budget = MAX_SEARCH

    def feed(self, data: bytes) -> bytes | None:
        """Return what follows the terminator once it has come, None before.

        Each byte is looked at once; all that is kept is the tail that may be the start of the terminator.
        Raises RemoteProtocolError when no terminator ends within the first 65,536 bytes.
        """
        within = self._tail + data[: self._budget]
        found = within.find(self._wanted)
        if found >= 0:
            return within[found + TERMINATOR_SIZE :] + data[self._budget :]
        if len(data) >= self._budget:
            raise RemoteProtocolError("no prefix terminator")
        self._budget -= len(data)
        self._tail = within[1 - TERMINATOR_SIZE :]
        return None
