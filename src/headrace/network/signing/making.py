"""New keys, and keys that are there already, in the text forms in which clients and servers have them.

    RSA        public: base64 of DER SubjectPublicKeyInfo    private: base64 of DER PKCS#1
    Ed25519    public: base64 of 32 bytes                    private: base64 of 64, the seed and the former
    random     base64 of 32 bytes: public if clients are told of it, else private

A key's id is 16 hexadecimal digits. Those of Ed25519 and RSA keys are the start of what entries and packages
name their key by. That of a secret tells nothing about it.
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass, field

from headrace.base.errors import DocumentError, OperatorError
from headrace.base.rng import Rng
from headrace.crypto.rsa_signing import PackageSigningKey, PackageVerifyingKey
from headrace.crypto.signing import SigningKey, VerifyingKey
from headrace.network.signing.kinds import Form, KeyKind, kind_of

__all__ = ["KeyPair", "adopt_key", "entry_key_id", "make_key", "package_key_id"]

_ID_SIZE = 8
_RANDOM_SIZE = 32


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Both halves of a key of the network. Its repr shows the public one only."""

    purpose: str
    name: str  #: which, where a purpose has many at once
    public: str  #: as clients are told of it; "": they are not
    key_id: str
    private: str = field(repr=False)  #: "": there is nothing of it that is secret


def make_key(purpose: str, rng: Rng, *, name: str = "", bits: int = 4096) -> KeyPair:
    """Make a new key. Raises OperatorError for an unknown purpose, or a name where there is to be none.

    RSA keys of `bits` take seconds. These and Ed25519 keys come from the cryptography library's randomness.
    """
    kind = _named_kind(purpose, name)
    if kind.form is Form.RSA:
        return _rsa(kind, name, PackageSigningKey.generate(bits))
    if kind.form is Form.ED25519:
        return _ed25519(kind, name, SigningKey.generate())
    return _random(kind, name, rng.bytes(_RANDOM_SIZE))


def adopt_key(purpose: str, text: str, *, name: str = "", password: str | None = None) -> KeyPair:
    """Return the key pair of a private key that exists, in one of its text forms, RSA also in PEM.

    `password` opens a PEM that is locked. Raises OperatorError for the purpose and DocumentError for
    the text, which it never repeats.
    """
    kind = _named_kind(purpose, name)
    if kind.form is Form.RSA:
        return _rsa(kind, name, PackageSigningKey.from_text(text, password))
    if kind.form is Form.ED25519:
        return _ed25519(kind, name, SigningKey.from_text(text.strip()))
    try:
        secret = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise DocumentError("this key is not base64") from None
    if len(secret) != _RANDOM_SIZE:
        raise DocumentError(f"a key for {kind.title} has {_RANDOM_SIZE} bytes, not {len(secret)}")
    return _random(kind, name, secret)


def entry_key_id(key: VerifyingKey) -> str:
    """Return the id of a key that signs entries."""
    return key.key_id.hex()


def package_key_id(key: PackageVerifyingKey) -> str:
    """Return the id of a key that signs packages, or of another RSA key."""
    return base64.b64decode(key.digest)[:_ID_SIZE].hex()


def _named_kind(purpose: str, name: str) -> KeyKind:
    kind = kind_of(purpose)
    if kind.is_named and not name:
        raise OperatorError(f"there are several keys for {kind.title}: give this one a name")
    if name and not kind.is_named:
        raise OperatorError(f"keys for {kind.title} have no names: leave it out")
    return kind


def _rsa(kind: KeyKind, name: str, key: PackageSigningKey) -> KeyPair:
    return KeyPair(kind.purpose, name, key.public.to_text(), package_key_id(key.public), key.to_text())


def _ed25519(kind: KeyKind, name: str, key: SigningKey) -> KeyPair:
    return KeyPair(kind.purpose, name, key.public.to_text(), entry_key_id(key.public), key.to_text())


def _random(kind: KeyKind, name: str, secret: bytes) -> KeyPair:
    text = base64.b64encode(secret).decode()
    key_id = hmac.digest(secret, b"headrace key id", hashlib.sha256)[:_ID_SIZE].hex()
    return (
        KeyPair(kind.purpose, name, "", key_id, text)
        if kind.is_secret
        else KeyPair(kind.purpose, name, text, key_id, "")
    )
