"""Signing a server entry and checking the signature (server lists spec §1.7).

    signature = base64( key id (8) ‖ Ed25519 signature (64) ) over the canonical JSON of the signed fields

Signed are all fields but the client's own: where and when it got the entry, and a tag it derived itself.
"""

import base64
import binascii

from headrace.base.errors import DocumentError
from headrace.crypto.signing import KEY_ID_SIZE, SIGNATURE_SIZE, SigningKey, VerifyingKey
from headrace.documents.entry_fields import Fields
from headrace.documents.json_canonical import encode_canonical

__all__ = ["sign_entry", "signed_message", "verify_entry"]


def sign_entry(fields: Fields, key: SigningKey) -> dict[str, object]:
    """Return the entry with its signature; a signature it had is replaced."""
    signature = key.public.key_id + key.sign(signed_message(fields))
    return {**fields, "signature": base64.b64encode(signature).decode()}


def verify_entry(fields: Fields, key: VerifyingKey) -> None:
    """Insist that the entry carries a good signature of `key`. Raises DocumentError."""
    text = fields.get("signature")
    if not isinstance(text, str) or not text:
        raise DocumentError("server entry is not signed")
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DocumentError("server entry signature is not base64") from error
    if len(raw) != KEY_ID_SIZE + SIGNATURE_SIZE:
        raise DocumentError(
            f"server entry signature has {len(raw)} bytes, not {KEY_ID_SIZE + SIGNATURE_SIZE}"
        )
    if raw[:KEY_ID_SIZE] != key.key_id:
        raise DocumentError("server entry is signed with another key")
    if not key.verify(signed_message(fields), raw[KEY_ID_SIZE:]):
        raise DocumentError("server entry was changed after it was signed")


def signed_message(fields: Fields) -> bytes:
    """Return the bytes that the signature covers."""
    unsigned = {"localSource", "localTimestamp", "signature", "isLocalDerivedTag"}
    if fields.get("isLocalDerivedTag") is True:
        unsigned.add("tag")
    return encode_canonical({name: value for name, value in fields.items() if name not in unsigned})
