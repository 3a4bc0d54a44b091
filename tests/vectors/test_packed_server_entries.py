"""Packed server entries, byte for byte, and back with the signature intact."""

import json
from pathlib import Path
from typing import Any

import pytest

from headrace.base.errors import DocumentError
from headrace.crypto.signing import VerifyingKey
from headrace.documents.entry_fields import decode_fields, encode_fields
from headrace.documents.entry_signature import verify_entry
from headrace.documents.packed_entry import pack_entry, unpack_entry

VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("packed_server_entries.json").read_text())
KEY = VerifyingKey.from_text(VECTORS["publicKey"])


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: str(case["name"]))
def test_entry(case: dict[str, Any]) -> None:
    fields = decode_fields(case["encoded"])
    if not case["packOK"]:
        with pytest.raises(DocumentError, match="cannot be packed"):
            pack_entry(fields)
        return
    packed = bytes.fromhex(case["cborHex"])
    assert pack_entry(fields) == packed
    assert encode_fields(unpack_entry(packed)) == case["encoded"]
    verify_entry(unpack_entry(packed), KEY)
