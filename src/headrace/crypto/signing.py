"""Ed25519 keys in the text forms that server entries use (server lists spec §1.7).

A public key is written as the base64 of its 32 bytes; a private key as the base64 of 64 bytes, the seed
followed by the public key. Malformed text raises DocumentError, which never repeats the text.
"""

import base64
import binascii
import hashlib
import hmac

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from headrace.base.errors import DocumentError

__all__ = ["KEY_ID_SIZE", "SIGNATURE_SIZE", "SigningKey", "VerifyingKey"]

KEY_ID_SIZE = 8
SIGNATURE_SIZE = 64
_HALF = 32


class VerifyingKey:
    """The public half."""

    __slots__ = ("_key", "raw")

    def __init__(self, raw: bytes) -> None:
        if len(raw) != _HALF:
            raise DocumentError("an Ed25519 public key has 32 bytes")
        self.raw = raw
        self._key = Ed25519PublicKey.from_public_bytes(raw)

    @classmethod
    def from_text(cls, text: str) -> "VerifyingKey":
        """Read the base64 form; raises DocumentError."""
        return cls(_decoded(text, "public key"))

    def to_text(self) -> str:
        """Return the base64 form."""
        return base64.b64encode(self.raw).decode()

    @property
    def key_id(self) -> bytes:
        """The 8 bytes that name this key in front of a server entry's signature."""
        return hashlib.sha256(self.raw).digest()[:KEY_ID_SIZE]

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Say whether `signature` (64 bytes) is this key's over `message`; garbage is simply False."""
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def __repr__(self) -> str:
        return f"VerifyingKey({self.to_text()})"


class SigningKey:
    """The private half; its repr shows only the public one."""

    __slots__ = ("_key", "_seed", "public")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != _HALF:
            raise DocumentError("an Ed25519 seed has 32 bytes")
        self._seed = seed
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = VerifyingKey(self._key.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> "SigningKey":
        """Make a new key from the cryptography library's own randomness."""
        return cls(Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def from_text(cls, text: str) -> "SigningKey":
        """Read the base64 form; raises DocumentError, also when the two halves do not belong together."""
        raw = _decoded(text, "private key")
        if len(raw) != 2 * _HALF:
            raise DocumentError("an Ed25519 private key has 64 bytes: seed, then public key")
        key = cls(raw[:_HALF])
        if not hmac.compare_digest(key.public.raw, raw[_HALF:]):
            raise DocumentError("the public half of this private key belongs to another key")
        return key

    def to_text(self) -> str:
        """Return the base64 form: a secret."""
        return base64.b64encode(self._seed + self.public.raw).decode()

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature over `message`."""
        return self._key.sign(message)

    def __repr__(self) -> str:
        return f"SigningKey(public={self.public.to_text()})"


def _decoded(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise DocumentError(f"this {what} is not base64") from None
