"""Authorizations: signed texts that give a client an access type for a while, as deployed issuers write them.

    base64 of {"Authorization": {"ID": …, "AccessType": …, "Expires": …}, "SigningKeyID": …, "Signature": …}

Bytes are base64 in the JSON, `Expires` is RFC 3339, and the Ed25519 signature covers the inner object's text.
The ID comes from whatever the issuer knows a purchase by, under a key, and cannot be led back to it. Issuers
hold signing keys; servers have a ring of verification keys, each good for one access type.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec

from headrace.base.errors import DocumentError
from headrace.base.rng import Rng
from headrace.crypto.hkdf import hkdf_sha256
from headrace.crypto.signing import SIGNATURE_SIZE, SigningKey, VerifyingKey

__all__ = ["Authorization", "AuthorizationKey", "KeyRing", "VerificationKey", "expiry_text"]

_ID_SIZE: Final = 32
#: Characters in the longest text that is looked at; issued ones have some 400.
_LONGEST: Final = 4096
#: What issuers may call an access type here: JSON writers differ in how they escape anything else.
_ACCESS_TYPE: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)


class _Inner(msgspec.Struct, frozen=True, rename="pascal"):
    id: bytes = msgspec.field(name="ID")
    access_type: str
    expires: str


class _Outer(msgspec.Struct, frozen=True, rename="pascal"):
    authorization: msgspec.Raw
    signing_key_id: bytes = msgspec.field(name="SigningKeyID")
    signature: bytes


@dataclass(frozen=True, slots=True)
class Authorization:
    """What a verified text says."""

    id: str  #: base64
    access_type: str
    expires: float  #: seconds since 1970


class VerificationKey(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """What a server verifies one access type's authorizations with."""

    id: bytes = msgspec.field(name="ID")
    access_type: str
    public_key: bytes


class KeyRing(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A server's keys (AccessControlVerificationKeyRing)."""

    keys: Sequence[VerificationKey] = ()

    def check(self) -> None:
        """Raises DocumentError on a key that cannot be one."""
        for index, key in enumerate(self.keys):
            if len(key.id) != _ID_SIZE or not key.access_type:
                raise DocumentError(f"Keys[{index}]: a key has an ID of {_ID_SIZE} bytes and an AccessType")
            try:
                VerifyingKey(key.public_key)
            except DocumentError as error:
                raise DocumentError(f"Keys[{index}].PublicKey: {error}") from error

    def verify(self, text: str, now: float) -> Authorization:
        """Return what `text` says, if one of the keys signed it and it holds. Raises DocumentError."""
        if len(text) > _LONGEST:
            raise DocumentError(f"authorization of {len(text)} characters")
        try:
            outer = msgspec.json.decode(base64.b64decode(text, validate=True), type=_Outer)
        except (binascii.Error, msgspec.MsgspecError, ValueError, RecursionError):
            raise DocumentError("this is no authorization") from None
        key = next((key for key in self.keys if key.id == outer.signing_key_id), None)
        if key is None:
            raise DocumentError("authorization signed with a key that is not on the ring")
        signed = bytes(outer.authorization)
        if len(outer.signature) != SIGNATURE_SIZE or not VerifyingKey(key.public_key).verify(
            signed, outer.signature
        ):
            raise DocumentError("authorization with a bad signature")
        try:
            inner = msgspec.json.decode(signed, type=_Inner)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise DocumentError("signed, but no authorization") from None
        if not inner.id or inner.access_type != key.access_type:
            raise DocumentError("authorization without an ID, or for another access type than its key's")
        expires = _expiry(inner.expires)
        if expires <= now:
            raise DocumentError("authorization that has expired")
        return Authorization(base64.b64encode(inner.id).decode(), inner.access_type, expires)


class AuthorizationKey(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """What an issuer signs one access type's authorizations with: a secret."""

    id: bytes = msgspec.field(name="ID")
    access_type: str
    authorization_id_key: bytes = msgspec.field(name="AuthorizationIDKey")
    private_key: bytes  # seed, then public key

    @classmethod
    def generate(cls, access_type: str, rng: Rng) -> "AuthorizationKey":
        """Return a new key. Raises DocumentError if the access type cannot be called that."""
        key = cls(
            id=rng.bytes(_ID_SIZE),
            access_type=access_type,
            authorization_id_key=rng.bytes(_ID_SIZE),
            private_key=base64.b64decode(SigningKey.generate().to_text()),
        )
        key.check()
        return key

    def check(self) -> None:
        """Raises DocumentError on what cannot be a key."""
        if not _ACCESS_TYPE.fullmatch(self.access_type):
            raise DocumentError("AccessType: write up to 64 letters, digits, dots, dashes and underscores")
        if len(self.id) != _ID_SIZE or len(self.authorization_id_key) != _ID_SIZE:
            raise DocumentError(f"ID and AuthorizationIDKey have {_ID_SIZE} bytes each")
        self._signing_key()

    @property
    def verification_key(self) -> VerificationKey:
        """The half for servers."""
        public = self._signing_key().public.raw
        return VerificationKey(id=self.id, access_type=self.access_type, public_key=public)

    def issue(self, seed: bytes, expires: float) -> tuple[str, str]:
        """Return an authorization and its ID.

        `seed` is what the issuer knows the purchase by: the same one gives the same ID again.
        """
        derived = hkdf_sha256(self.authorization_id_key, salt=b"", info=seed, length=_ID_SIZE)
        signed = msgspec.json.encode(_Inner(derived, self.access_type, expiry_text(expires)))
        signature = self._signing_key().sign(signed)
        outer = msgspec.json.encode(_Outer(msgspec.Raw(signed), self.id, signature))
        return base64.b64encode(outer).decode(), base64.b64encode(derived).decode()

    def _signing_key(self) -> SigningKey:
        return SigningKey.from_text(base64.b64encode(self.private_key).decode())

    def __repr__(self) -> str:
        return f"AuthorizationKey(access_type={self.access_type!r})"


def expiry_text(expires: float) -> str:
    """Return a time as authorizations write it, in whole seconds."""
    return datetime.fromtimestamp(int(expires), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _expiry(text: str) -> float:
    """Raises DocumentError."""
    if not _TIME.fullmatch(text):
        raise DocumentError("authorization without a time at which it expires")
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise DocumentError("authorization that expires at no real time") from None
