"""Authorizations: any text is verified or refused with a DocumentError; what is signed cannot be changed."""

import base64

from headrace.base.errors import DocumentError, RemoteProtocolError
from headrace.base.rng import SeededRng
from headrace.codec.packed_authorizations import unpack_authorizations
from headrace.documents.authorizations import AuthorizationKey, KeyRing

_KEY = AuthorizationKey.generate("speed-boost", SeededRng(1))
_RING = KeyRing(keys=[_KEY.verification_key])
_TEXT, _ID = _KEY.issue(b"order 17", 2_000_000_000.0)

SEEDS = [base64.b64decode(_TEXT), b"\x81\xa5\x01B\x00\x00\x02ax\x03`\x04@\x05@"]


def fuzz(data: bytes) -> None:
    """`data` is the JSON inside an authorization, and a packed list."""
    try:
        authorization = _RING.verify(base64.b64encode(data).decode(), 1_900_000_000.0)
    except DocumentError:
        pass
    else:
        assert (authorization.id, authorization.expires) == (_ID, 2_000_000_000.0)
    try:
        texts = unpack_authorizations(data)
    except RemoteProtocolError:
        return
    assert all(base64.b64decode(text) for text in texts)
