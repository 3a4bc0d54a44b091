"""What hides the SSH handshake: one RC4 stream each way, and loosened packet padding (tunnel spec §2)."""

from headrace.base.rng import Rng
from headrace.crypto import Rc4

__all__ = ["Veil"]

_MAX_PACKET_PADDING = 255
_LEGACY_PEER = b"Ganymed"
_LEGACY_BLOCK = 16


class Veil:
    """Obfuscates all that one side sends and receives, up to and including each direction's NEWKEYS.

    Both streams go on where the preamble left them. The SSH transport stops calling `hide` after its own
    first NEWKEYS and `reveal` after its peer's, and drops the veil when both have passed. `rng` draws lengths
    only.
    """

    __slots__ = ("_block", "_hiding", "_revealing", "_rng")

    def __init__(self, hiding: Rc4, revealing: Rc4, rng: Rng) -> None:
        self._hiding = hiding
        self._revealing = revealing
        self._rng = rng
        self._block = 1

    def hide(self, data: bytes | memoryview) -> bytes:
        """Obfuscate the next bytes we send."""
        return self._hiding.update(data)

    def reveal(self, data: bytes | memoryview) -> bytes:
        """Undo the peer's obfuscation of the next bytes it sent; never more than once for a byte."""
        return self._revealing.update(data)

    def peer_identification(self, line: bytes) -> None:
        """Take note of the peer's identification: some legacy clients insist on whole blocks."""
        self._block = _LEGACY_BLOCK if _LEGACY_PEER in line else 1

    def extra_padding(self, padding: int) -> int:
        """Draw how many bytes to add to the `padding` bytes a clear packet has, 255 in all at most."""
        room = max(0, _MAX_PACKET_PADDING - padding)
        return self._rng.between(0, room // self._block) * self._block
