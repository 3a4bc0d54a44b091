import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from tests.package_keys import KEY, new_key

from headrace.base.errors import DocumentError
from headrace.crypto.rsa_signing import PackageSigningKey, PackageVerifyingKey

ED25519 = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
RAW = rsa.generate_private_key(65_537, 2048)
PUBLIC_TEXT = KEY.public.to_text()


def text_of(der: bytes) -> str:
    return base64.b64encode(der).decode()


def pem(key: rsa.RSAPrivateKey, form: PrivateFormat, lock: KeySerializationEncryption) -> str:
    return key.private_bytes(Encoding.PEM, form, lock).decode()


@pytest.mark.parametrize("exponent", [3, 65_537])
def test_sign_and_verify(exponent: int) -> None:
    key = new_key(exponent)
    signature = key.sign(b"message")
    assert len(signature) == 256
    assert key.sign(b"message") == signature
    assert key.public.verify(b"message", signature)
    assert key.public.verify_hash(hashlib.sha256(b"message").digest(), signature)
    assert PackageVerifyingKey.from_text(key.public.to_text()).verify(b"message", signature)
    assert not KEY.public.verify(b"message", signature)


@pytest.mark.parametrize("signature", [b"", b"\0", bytes(512), b"\xff" * 512, bytes(513), KEY.sign(b"other")])
def test_anything_else_does_not_verify(signature: bytes) -> None:
    assert not KEY.public.verify(b"message", signature)


def test_a_signature_with_its_padding_changed_does_not_verify() -> None:
    """With exponent 3, readers that look at the end of the padding only can be fooled."""
    key = new_key(3)
    hashed = hashlib.sha256(b"message").digest()
    prefix = bytes.fromhex("3031300d060960864801650304020105000420")
    wanted = int.from_bytes(b"\0\1\xff\0" + prefix + hashed + bytes(256 - 55), "big")
    root = 1 << 700
    while (better := (2 * root + wanted // root**2) // 3) < root:
        root = better
    forged = (root + 1).to_bytes(256, "big")
    assert (root + 1) ** 3 >> (8 * 175) == wanted >> (8 * 175)
    assert not key.public.verify(b"message", forged)


def test_texts_round_trip() -> None:
    assert PackageSigningKey.from_text(KEY.to_text()).to_text() == KEY.to_text()
    assert PackageVerifyingKey.from_text(f" {PUBLIC_TEXT}\n").to_text() == PUBLIC_TEXT


def test_digest_is_over_the_text() -> None:
    digest = base64.b64encode(hashlib.sha256(PUBLIC_TEXT.encode()).digest()).decode()
    assert KEY.digest == KEY.public.digest == digest


@pytest.mark.parametrize("form", [PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8])
def test_private_pem(form: PrivateFormat) -> None:
    text = PackageSigningKey(RAW).to_text()
    assert PackageSigningKey.from_text(pem(RAW, form, NoEncryption())).to_text() == text
    assert PackageSigningKey.from_text(pem(RAW, form, NoEncryption()), "not needed").to_text() == text
    locked = pem(RAW, form, BestAvailableEncryption(b"a password"))
    assert PackageSigningKey.from_text(locked, "a password").to_text() == text
    with pytest.raises(DocumentError, match="needs its password"):
        PackageSigningKey.from_text(locked)
    with pytest.raises(DocumentError, match="password is wrong"):
        PackageSigningKey.from_text(locked, "another password")


def test_public_pem() -> None:
    text = RAW.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert PackageVerifyingKey.from_text(text).to_text() == PackageSigningKey(RAW).public.to_text()


def test_generated_keys() -> None:
    first, second = PackageSigningKey.generate(2048), PackageSigningKey.generate(2048)
    assert first.to_text() != second.to_text()
    assert first.public.verify(b"message", first.sign(b"message"))


MALFORMED = ["", "no base64!", "AAAA", "ü", "-----BEGIN RSA PRIVATE KEY-----\nAAAA", "-----BEGIN \ud800"]


@pytest.mark.parametrize("text", [*MALFORMED, PUBLIC_TEXT, KEY.to_text()[:-40]])
def test_malformed_private_texts(text: str) -> None:
    with pytest.raises(DocumentError, match="private key") as caught:
        PackageSigningKey.from_text(text)
    assert not text or text not in str(caught.value)


@pytest.mark.parametrize("text", [*MALFORMED, KEY.to_text(), PUBLIC_TEXT[:-40]])
def test_malformed_public_texts(text: str) -> None:
    with pytest.raises(DocumentError, match="public key") as caught:
        PackageVerifyingKey.from_text(text)
    assert not text or text not in str(caught.value)


def test_keys_of_another_kind() -> None:
    private = ED25519.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(DocumentError, match="not an RSA key"):
        PackageSigningKey.from_text(text_of(private))
    public = ED25519.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(DocumentError, match="not an RSA key"):
        PackageVerifyingKey.from_text(text_of(public))


def test_weak_keys_are_refused() -> None:
    weak = rsa.generate_private_key(65_537, 1024)
    with pytest.raises(DocumentError, match="1024 bits"):
        PackageSigningKey(weak)
    with pytest.raises(DocumentError, match="1024 bits"):
        PackageSigningKey.generate(1024)
    text = weak.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(DocumentError, match="1024 bits"):
        PackageVerifyingKey.from_text(text)


def test_repr_keeps_the_secret() -> None:
    assert repr(KEY) == f"PackageSigningKey(public digest={KEY.digest})"
    assert repr(KEY.public) == f"PackageVerifyingKey(digest={KEY.digest})"
