"""RSA keys in the text forms that signed packages use (server lists spec §2).

    public    base64 of DER SubjectPublicKeyInfo, one line
    private   base64 of DER PKCS#1, one line

Both are also read from PEM, a private one perhaps locked with a password. Signatures are RSASSA-PKCS1-v1_5
with SHA-256. A package names its key by a digest over the *text* of the public key, so the text is kept as
it was given. Malformed text raises DocumentError, which never repeats the text.
"""

import base64
import binascii
import hashlib

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)

from headrace.base.errors import DocumentError

__all__ = ["PackageSigningKey", "PackageVerifyingKey"]

_EXPONENT = 65_537  # of new keys; old ones have 3
_LEAST_BITS, _MOST_BITS = 2048, 16_384
_PEM = "-----BEGIN "
_HASH = Prehashed(SHA256())


class PackageVerifyingKey:
    """The public half."""

    __slots__ = ("_key", "_text")

    def __init__(self, key: rsa.RSAPublicKey, text: str = "") -> None:
        _check_size(key.key_size)
        self._key = key
        self._text = text or _to_text(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

    @classmethod
    def from_text(cls, text: str) -> "PackageVerifyingKey":
        """Read base64 DER or PEM; raises DocumentError."""
        text = text.strip()
        try:
            if text.startswith(_PEM):
                key, text = load_pem_public_key(text.encode()), ""
            else:
                key = load_der_public_key(_from_text(text, "public key"))
        except (ValueError, UnsupportedAlgorithm):
            raise DocumentError("this public key is not an RSA key in DER or PEM form") from None
        if not isinstance(key, rsa.RSAPublicKey):
            raise DocumentError("this public key is not an RSA key")
        return cls(key, text)

    def to_text(self) -> str:
        """Return the base64 form, exactly as it was given if it was."""
        return self._text

    @property
    def digest(self) -> str:
        """What names this key in a package: base64 of SHA-256 over the base64 form."""
        return _to_text(hashlib.sha256(self._text.encode()).digest())

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Say whether `signature` is this key's over `message`; garbage is simply False."""
        return self.verify_hash(hashlib.sha256(message).digest(), signature)

    def verify_hash(self, sha256: bytes, signature: bytes) -> bool:
        """The same for a message that was hashed piece by piece: `sha256` are the 32 bytes."""
        try:
            self._key.verify(signature, sha256, PKCS1v15(), _HASH)
        except InvalidSignature:
            return False
        return True

    def __repr__(self) -> str:
        return f"PackageVerifyingKey(digest={self.digest})"


class PackageSigningKey:
    """The private half; its repr shows only the public one."""

    __slots__ = ("_key", "public")

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self._key = key
        self.public = PackageVerifyingKey(key.public_key())

    @classmethod
    def generate(cls, bits: int = 4096) -> "PackageSigningKey":
        """Make a new key from the cryptography library's own randomness; 4096 bits take seconds."""
        _check_size(bits)
        return cls(rsa.generate_private_key(_EXPONENT, bits))

    @classmethod
    def from_text(cls, text: str, password: str | None = None) -> "PackageSigningKey":
        """Read base64 DER or PEM; `password` opens a PEM that is locked. Raises DocumentError."""
        text = text.strip()
        is_pem = text.startswith(_PEM)
        is_locked = is_pem and "ENCRYPTED" in text
        if is_locked and not password:
            raise DocumentError("this private key is locked: it needs its password")
        try:
            if is_pem:
                secret = password.encode() if password and is_locked else None
                key = load_pem_private_key(text.encode(), secret)
            else:
                key = load_der_private_key(_from_text(text, "private key"), None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            reason = "the password is wrong, or it is damaged" if is_locked else "it is damaged"
            raise DocumentError(f"this private key cannot be read: {reason}") from None
        if not isinstance(key, rsa.RSAPrivateKey):
            raise DocumentError("this private key is not an RSA key")
        return cls(key)

    @property
    def digest(self) -> str:
        """What names this key in a package: that of its public half."""
        return self.public.digest

    def to_text(self) -> str:
        """Return the base64 form: a secret."""
        der = self._key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        return _to_text(der)

    def sign(self, message: bytes) -> bytes:
        """Return the signature over `message`, as long as the key."""
        return self._key.sign(message, PKCS1v15(), SHA256())

    def __repr__(self) -> str:
        return f"PackageSigningKey(public digest={self.public.digest})"


def _check_size(bits: int) -> None:
    if not _LEAST_BITS <= bits <= _MOST_BITS:
        raise DocumentError(
            f"an RSA key of {bits} bits cannot be used: it takes {_LEAST_BITS} to {_MOST_BITS}, usually 4096"
        )


def _to_text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _from_text(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise DocumentError(f"this {what} is neither base64 nor PEM") from None
