"""Signed server entries, byte for byte."""

import json
from pathlib import Path
from typing import Any

import pytest

from headrace.base.errors import DocumentError
from headrace.crypto.signing import SigningKey, VerifyingKey
from headrace.documents.entry_fields import decode_fields, encode_fields
from headrace.documents.entry_signature import sign_entry, signed_message, verify_entry

VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("signed_server_entries.json").read_text())
KEY = SigningKey.from_text(VECTORS["privateKey"])
OTHER = VerifyingKey.from_text(VECTORS["otherPublicKey"])


def name_of(case: dict[str, Any]) -> str:
    return str(case["name"])


def verifies(line: str, key: VerifyingKey) -> bool:
    try:
        verify_entry(decode_fields(line), key)
    except DocumentError:
        return False
    return True


@pytest.mark.parametrize("case", VECTORS["cases"], ids=name_of)
def test_signing(case: dict[str, Any]) -> None:
    fields = decode_fields(case["unsignedEncoded"])
    assert signed_message(fields).hex() == case["signedMessageHex"]
    signed = sign_entry(fields, KEY)
    assert signed["signature"] == case["signature"]
    assert encode_fields(signed) == case["signedEncoded"]


@pytest.mark.parametrize("case", VECTORS["cases"], ids=name_of)
def test_what_was_signed_verifies(case: dict[str, Any]) -> None:
    assert verifies(case["signedEncoded"], KEY.public) == case["verifies"]
    assert verifies(case["signedEncoded"], OTHER) == case["verifiesWithOtherKey"]


@pytest.mark.parametrize("case", VECTORS["verifyCases"], ids=name_of)
def test_verifying(case: dict[str, Any]) -> None:
    assert verifies(case["encoded"], KEY.public) == case["verifies"]
