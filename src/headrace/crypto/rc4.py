"""RC4, for the obfuscation layer only: it hides what a stream is, it protects nothing.

No keystream is dropped, since deployed peers drop none (tunnel spec §2).
"""

from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
from cryptography.hazmat.primitives.ciphers import Cipher

__all__ = ["Rc4"]


class Rc4:
    """One direction's keystream; enciphering and deciphering are the same operation."""

    __slots__ = ("_context",)

    def __init__(self, key: bytes) -> None:
        self._context = Cipher(ARC4(key), mode=None).encryptor()

    def update(self, data: bytes | memoryview) -> bytes:
        """Return `data` combined with the next `len(data)` bytes of the keystream."""
        return self._context.update(data)
