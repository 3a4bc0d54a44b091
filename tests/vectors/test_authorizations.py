"""Authorizations made by the deployed issuer, packed by deployed clients."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headrace.base.errors import DocumentError
from headrace.codec.packed_authorizations import pack_authorizations, unpack_authorizations
from headrace.documents.authorizations import AuthorizationKey, KeyRing, VerificationKey

CASES: list[dict[str, Any]] = json.loads(Path(__file__).with_name("authorizations.json").read_text())["cases"]
RING = KeyRing(keys=[msgspec.convert(case["verification_key"], VerificationKey) for case in CASES])
NOW = 2_000_000_000.0


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["expires"])
def test_verifying(case: dict[str, Any]) -> None:
    RING.check()
    if case["expires"] < "2030":
        with pytest.raises(DocumentError, match="expired"):
            RING.verify(case["authorization"], NOW)
    authorization = RING.verify(case["authorization"], 0.0)
    assert authorization.id == case["id"]
    assert authorization.access_type == case["verification_key"]["AccessType"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["expires"])
def test_packing(case: dict[str, Any]) -> None:
    packed = bytes.fromhex(case["packed"])
    assert pack_authorizations([case["authorization"]]) == packed
    assert unpack_authorizations(packed) == [case["authorization"]]


def test_issuing() -> None:
    """Their signing key gives the same purchase the same ID, and their verification key takes the text."""
    case = CASES[0]
    key = msgspec.convert(case["signing_key"], AuthorizationKey)
    key.check()
    assert msgspec.to_builtins(key.verification_key) == case["verification_key"]
    text, identity = key.issue(case["seed"].encode(), NOW + 60)
    assert identity == case["id"]
    authorization = RING.verify(text, NOW)
    assert (authorization.id, authorization.expires) == (case["id"], NOW + 60)
