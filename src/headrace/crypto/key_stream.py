"""A stream of key material from one key: AES-256 in counter mode over zeros, counting from zero (spec §4.4).

The same key always gives the same stream, which is what makes repeated paving come out the same.
"""

from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR

__all__ = ["KeyStream"]

_COUNTER: Final = bytes(16)
_AHEAD: Final = 4096  # bytes made at once: reads are small and many


class KeyStream:
    """The stream of a 32-byte key, read from its start to wherever the reader stops."""

    __slots__ = ("_encryptor", "_position", "_ready")

    def __init__(self, key: bytes) -> None:
        self._encryptor = Cipher(AES256(key), CTR(_COUNTER)).encryptor()
        self._ready = b""
        self._position = 0

    def read(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        end = self._position + count
        if end > len(self._ready):
            self._ready = self._ready[self._position :] + self._encryptor.update(bytes(max(count, _AHEAD)))
            self._position, end = 0, count
        taken = self._ready[self._position : end]
        self._position = end
        return taken
