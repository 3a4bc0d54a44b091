"""Authorizations as they travel in packed API parameters: CBOR within a byte string (tunnel spec §5).

    {"Authorization": {"ID": …, "AccessType": …, "Expires": …}, "SigningKeyID": …, "Signature": …}

An authorization is the base64 of that, and the signature covers the inner object's text. Packed, each is a
map of ID 1, access type 2, expiry 3, signing key ID 4 and signature 5, so that unpacking has to restore that
text exactly as issuers write it: these three members, in this order, without spaces.
"""

import base64

import msgspec

from headrace.base.errors import RemoteProtocolError
from headrace.codec import bounded_cbor

__all__ = ["pack_authorizations", "unpack_authorizations"]

#: What issuers' JSON writer escapes in texts, though JSON does not ask for it.
_ESCAPES = [(mark, b"\\u%04x" % ord(mark)) for mark in "<>&\u2028\u2029"]


class _Inner(msgspec.Struct, frozen=True, rename="pascal"):
    id: bytes = msgspec.field(name="ID")
    access_type: str
    expires: str


class _Outer(msgspec.Struct, frozen=True, rename="pascal"):
    authorization: msgspec.Raw
    signing_key_id: bytes = msgspec.field(name="SigningKeyID")
    signature: bytes


def pack_authorizations(value: object) -> bytes:
    """Return a list of authorizations packed. Raises ValueError or TypeError on what is none."""
    packed = []
    for text in msgspec.convert(value, list[str]):
        outer = msgspec.json.decode(base64.b64decode(text, validate=True), type=_Outer)
        inner = msgspec.json.decode(outer.authorization, type=_Inner)
        members = (inner.id, inner.access_type, inner.expires, outer.signing_key_id, outer.signature)
        packed.append(dict(enumerate(members, start=1)))
    return bounded_cbor.encode(packed)


def unpack_authorizations(data: bytes) -> list[str]:
    """Return the authorizations in a packed list. Raises RemoteProtocolError."""
    entries = bounded_cbor.decode(data)
    if not isinstance(entries, list):
        raise RemoteProtocolError("packed authorizations are not a list")
    return [_unpack(entry) for entry in entries]


def _unpack(entry: object) -> str:
    match entry:
        case {1: bytes(identity), 2: str(access), 3: str(expires), 4: bytes(key), 5: bytes(signature)}:
            inner = msgspec.json.encode(_Inner(identity, access, expires))
        case _:
            raise RemoteProtocolError("packed authorization with missing or ill-typed members")
    for mark, escape in _ESCAPES:
        inner = inner.replace(mark.encode(), escape)
    outer = msgspec.json.encode(_Outer(msgspec.Raw(inner), key, signature))
    return base64.b64encode(outer).decode()
