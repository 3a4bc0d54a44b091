"""Signed packages through both readers."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest

from headrace.base.errors import DocumentError
from headrace.crypto.rsa_signing import PackageSigningKey, PackageVerifyingKey
from headrace.documents.signed_package import make_package, open_package, read_package

VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("auth_packages.json").read_text())
KEY = PackageSigningKey.from_text(VECTORS["privateKeyPKCS1"])

ERRORS = {
    "characters the streaming reader does not accept": "escape",
    "wrong public key": "signed with another key",
    "data tampered": "changed after it was signed",
    "digest of right key, signature by other key": "changed after it was signed",
    "extra unknown field": "unknown field",
    "trailing garbage after object": "where the end was expected",
    "missing signature": "signature is missing",
    "truncated zlib": "cut short",
    "JSON slash escapes in base64 fields": "not base64",
}


def name_of(case: dict[str, Any]) -> str:
    return str(case["name"])


def test_key() -> None:
    assert KEY.to_text() == VECTORS["privateKeyPKCS1"]
    assert KEY.public.to_text() == VECTORS["publicKey"]


@pytest.mark.parametrize("case", VECTORS["cases"], ids=name_of)
def test_whole_reader(case: dict[str, Any]) -> None:
    package, key = base64.b64decode(case["package"]), PackageVerifyingKey.from_text(case["publicKey"])
    if case["readOK"]:
        assert read_package(package, key, compressed=case["compressed"]) == case["data"]
    else:
        with pytest.raises(DocumentError):
            read_package(package, key, compressed=case["compressed"])


@pytest.mark.parametrize("case", [case for case in VECTORS["cases"] if "streamOK" in case], ids=name_of)
def test_streaming_reader(case: dict[str, Any]) -> None:
    file = io.BytesIO(base64.b64decode(case["package"]))
    key = PackageVerifyingKey.from_text(case["publicKey"])
    if case["streamOK"]:
        reader = open_package(file, key)
        assert b"".join(reader.chunks()).decode() == case["streamData"]
        assert "\n".join(reader.lines()) == case["streamData"]
    else:
        with pytest.raises(DocumentError, match=ERRORS[case["name"]]):
            open_package(file, key)


@pytest.mark.parametrize("case", [case for case in VECTORS["cases"] if "json" in case], ids=name_of)
def test_packages_of_ours_say_the_same(case: dict[str, Any]) -> None:
    assert json.loads(make_package(case["data"], KEY, compress=False)) == json.loads(case["json"])
