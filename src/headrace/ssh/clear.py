"""The unprotected beginning of a connection: identification lines, then packets up to NEWKEYS.

An obfuscation layer may lie over exactly these bytes. It is a stream cipher whose end is known only once
NEWKEYS has been read, so what arrives is unveiled at once but kept as it came too: whatever follows NEWKEYS
is then handed on untouched.

    line CRLF, line CRLF, ..., SSH-2.0-... CRLF, packet, packet, ..., NEWKEYS packet | protected packets
    '------------------------- veiled, if there is a veil --------------------------'
"""

from typing import Final, Protocol

from headrace.base.errors import RemoteProtocolError
from headrace.base.rng import Rng
from headrace.ssh.numbers import PROTOCOL_VERSION_NOT_SUPPORTED

__all__ = ["ClearInput", "Veil", "clear_packet"]

#: A server may send lines before its identification (RFC 4253 §4.2); tunnel spec §2 bounds each of them,
#: and this bounds their sum: obfuscated servers send up to 8,192 bytes on purpose.
MAX_LINE: Final = 1024
MAX_LINES: Final = 64 * 1024
#: RFC 4253 §6.1; a key exchange message with every algorithm known and 255 bytes of padding is far smaller.
MAX_CLEAR_PACKET: Final = 35_000


class Veil(Protocol):
    """What an obfuscation layer does to the unprotected beginning (tunnel spec §2)."""

    def hide(self, data: bytes) -> bytes:
        """Veil what we send; a stream, so calls must come in order."""
        ...

    def reveal(self, data: bytes | memoryview) -> bytes:
        """Unveil what arrived; likewise a stream."""
        ...

    def extra_padding(self, padding: int) -> int:
        """Return how many bytes to add to a clear packet's `padding` bytes; at most 255 in all."""
        ...

    def peer_identification(self, line: bytes) -> None:
        """Learn the peer's identification, on which the padding rule may depend."""
        ...


class ClearInput:
    """Collects what arrives before NEWKEYS and cuts it into lines and packets."""

    __slots__ = ("_clear", "_discarded", "_position", "_raw", "_veil", "sequence")

    def __init__(self, veil: Veil | None) -> None:
        self._veil = veil
        self._raw = bytearray()
        self._clear = bytearray()
        self._position = 0
        self._discarded = 0
        self.sequence = 0  #: packets read so far

    def feed(self, data: bytes | memoryview) -> None:
        """Take everything that arrived."""
        del self._clear[: self._position], self._raw[: self._position]
        self._position = 0
        self._raw += data
        self._clear += self._veil.reveal(data) if self._veil else data

    def identification(self, lines_before: bool) -> bytes | None:
        """Return the peer's identification without its line end, or None while it is incomplete.

        `lines_before` allows other lines in front of it, which only servers may send.
        """
        while (end := self._clear.find(b"\n", self._position, self._position + MAX_LINE)) >= 0:
            line = bytes(self._clear[self._position : end]).removesuffix(b"\r")
            self._discarded += end + 1 - self._position
            self._position = end + 1
            if line.startswith((b"SSH-2.0-", b"SSH-1.99-")):
                if self._veil:
                    self._veil.peer_identification(line)
                return line
            if line.startswith(b"SSH-") or not lines_before:
                raise RemoteProtocolError("the peer does not speak SSH 2.0", PROTOCOL_VERSION_NOT_SUPPORTED)
            if self._discarded > MAX_LINES:
                raise RemoteProtocolError("too many lines before the identification")
        if len(self._clear) - self._position >= MAX_LINE:
            raise RemoteProtocolError("a line before the identification is too long")
        return None

    def payload(self) -> bytes | None:
        """Return the next packet's payload, or None while it is incomplete.

        The length need not be a multiple of eight: obfuscating peers pad as they like.
        """
        start = self._position + 4
        if len(self._clear) < start:
            return None
        length = int.from_bytes(self._clear[self._position : start], "big")
        if not 5 < length <= MAX_CLEAR_PACKET:
            raise RemoteProtocolError(f"packet length {length} is out of bounds")
        if len(self._clear) < start + length:
            return None
        padding = self._clear[start]
        if padding < 4 or padding + 1 >= length:
            raise RemoteProtocolError(f"padding length {padding} does not fit the packet")
        self._position = start + length
        self.sequence += 1
        return bytes(self._clear[start + 1 : self._position - padding])

    @property
    def leftover(self) -> int:
        """How many bytes at the end of the input lie behind the last packet read."""
        return len(self._raw) - self._position


def clear_packet(payload: bytes, rng: Rng, veil: Veil | None) -> bytes:
    """Frame a payload before NEWKEYS (RFC 4253 §6), padded further as the veil asks."""
    padding = 8 - (5 + len(payload)) % 8
    if padding < 4:
        padding += 8
    if veil:
        padding += veil.extra_padding(padding)
    head = (1 + len(payload) + padding).to_bytes(4, "big") + bytes((padding,))
    return head + payload + rng.bytes(padding)
