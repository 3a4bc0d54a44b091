"""Packed authorizations: what is signed must come out as it went in, to the byte."""

import base64

import cbor2
import pytest

from headrace.base.errors import RemoteProtocolError
from headrace.base.rng import SeededRng
from headrace.codec.packed_authorizations import pack_authorizations, unpack_authorizations
from headrace.documents.authorizations import AuthorizationKey, KeyRing


def encoded(inner: bytes) -> str:
    outer = b'{"Authorization":' + inner + b',"SigningKeyID":"a2V5","Signature":"c2ln"}'
    return base64.b64encode(outer).decode()


@pytest.mark.parametrize(
    "inner",
    [
        b'{"ID":"aWQ=","AccessType":"speed-boost","Expires":"2030-01-02T03:04:05.678901234Z"}',
        b'{"ID":"aWQ=","AccessType":"a\\u0026b \\u003c\\u003e\\u2028\\u2029","Expires":"2030-01-02"}',
        '{"ID":"","AccessType":"ускорение","Expires":""}'.encode(),
    ],
)
def test_round_trip(inner: bytes) -> None:
    texts = [encoded(inner), encoded(inner)]
    assert unpack_authorizations(pack_authorizations(texts)) == texts


def test_what_we_issue_survives() -> None:
    key = AuthorizationKey.generate("speed-boost", SeededRng(1))
    text, identity = key.issue(b"order 17", 2_000_000_000.0)
    (unpacked,) = unpack_authorizations(pack_authorizations([text]))
    assert unpacked == text
    assert KeyRing(keys=[key.verification_key]).verify(unpacked, 1_999_999_999.0).id == identity


@pytest.mark.parametrize(
    "value",
    [
        {},
        [1],
        [{}],
        [{1: b"id", 2: "type", 3: "time", 4: b"key"}],
        [{1: "id", 2: "type", 3: "time", 4: b"key", 5: b"signature"}],
        [{1: b"id", 2: b"type", 3: "time", 4: b"key", 5: b"signature"}],
    ],
)
def test_garbage(value: object) -> None:
    with pytest.raises(RemoteProtocolError):
        unpack_authorizations(cbor2.dumps(value))
