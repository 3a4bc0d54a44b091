"""Signatures that must not verify; good ones are checked in tests/vectors."""

import base64

import pytest

from headrace.base.errors import DocumentError
from headrace.crypto.signing import SigningKey
from headrace.documents.entry_signature import sign_entry, signed_message, verify_entry

KEY = SigningKey(bytes(range(32)))
ENTRY: dict[str, object] = {"ipAddress": "192.0.2.1", "capabilities": ["OSSH"]}
SIGNED = sign_entry(ENTRY, KEY)
RAW = base64.b64decode(str(SIGNED["signature"]))


def test_local_fields_do_not_matter() -> None:
    verify_entry({**SIGNED, "localSource": "REMOTE", "tag": "derived", "isLocalDerivedTag": True}, KEY.public)
    assert signed_message(SIGNED) == b'{"capabilities":["OSSH"],"ipAddress":"192.0.2.1"}'


def test_signing_again_changes_nothing() -> None:
    assert sign_entry(SIGNED, KEY) == SIGNED


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"signature": ""}, "not signed"),
        ({"signature": None}, "not signed"),
        ({"signature": 5}, "not signed"),
        ({"signature": "***"}, "not base64"),
        ({"signature": "é"}, "not base64"),
        ({"signature": base64.b64encode(RAW[:-1]).decode()}, "71 bytes"),
        ({"signature": base64.b64encode(bytes(8) + RAW[8:]).decode()}, "another key"),
        ({"signature": base64.b64encode(RAW[:8] + bytes(64)).decode()}, "changed after"),
        ({"tag": "explicit"}, "changed after"),
        ({"capabilities": ["SSH"]}, "changed after"),
    ],
)
def test_refused(change: dict[str, object], problem: str) -> None:
    with pytest.raises(DocumentError, match=problem):
        verify_entry(SIGNED | change, KEY.public)
