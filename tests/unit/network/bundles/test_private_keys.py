"""Private keys are found by what they are, wherever they are; public ones are left alone."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from tests.package_keys import KEY

from headrace.crypto.signing import SigningKey
from headrace.network.bundles.private_keys import private_key_places
from headrace.ssh.host_keys import HostKey

ED25519 = SigningKey.generate()
EC = ec.generate_private_key(ec.SECP256R1())


def der(encryption: KeySerializationEncryption) -> str:
    return base64.b64encode(EC.private_bytes(Encoding.DER, PrivateFormat.PKCS8, encryption)).decode()


@pytest.mark.parametrize(
    "text",
    [
        KEY.to_text(),
        ED25519.to_text(),
        HostKey.generate("ed25519").to_pem(),
        der(NoEncryption()),
        der(BestAvailableEncryption(b"locked")),
        "-----BEGIN ENCRYPTED PRIVATE KEY-----",
    ],
    ids=["RSA", "Ed25519", "PEM", "EC", "locked", "locked PEM"],
)
def test_a_private_key_is_found_in_any_field(text: str) -> None:
    assert [*private_key_places({"Urls": [{"a": "b"}, {"Note": text}]})] == ["Urls[1].Note"]


@pytest.mark.parametrize("name", ["RSAPrivateKey", "private_key", "MasterKey", "DiscoveryValueHMACKey"])
def test_a_field_that_is_called_so_is_found_unless_it_is_empty(name: str) -> None:
    assert [*private_key_places({"Inner": {name: "x"}})] == [f"Inner.{name}"]
    assert [*private_key_places({"Inner": {name: ""}})] == []


@pytest.mark.parametrize(
    "value",
    [
        KEY.public.to_text(),
        ED25519.public.to_text(),
        base64.b64encode(bytes(64)).decode(),
        base64.b64encode(ED25519.sign(b"message")).decode(),
        "no base64 " * 10,
        "",
        17,
        None,
    ],
    ids=["RSA", "Ed25519", "zeros", "signature", "text", "nothing", "number", "none"],
)
def test_what_is_public_or_nothing_at_all_is_not_found(value: object) -> None:
    assert [*private_key_places({"Key": value})] == []


def test_a_bundle_as_it_is_made_holds_none(bundle_data: bytes) -> None:
    assert [*private_key_places(json.loads(bundle_data))] == []
