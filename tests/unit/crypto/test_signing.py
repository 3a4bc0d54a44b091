import base64

import pytest

from headrace.base.errors import DocumentError
from headrace.crypto import SigningKey, VerifyingKey

# RFC 8032 §7.1, test 1: the empty message.
SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
SIGNATURE = bytes.fromhex(
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
    "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
)
PUBLIC_TEXT = base64.b64encode(PUBLIC).decode()
PRIVATE_TEXT = base64.b64encode(SEED + PUBLIC).decode()


def test_rfc_8032_signature() -> None:
    assert SigningKey(SEED).sign(b"") == SIGNATURE
    assert SigningKey(SEED).public.raw == PUBLIC
    assert VerifyingKey(PUBLIC).verify(b"", SIGNATURE)


@pytest.mark.parametrize(
    ("message", "signature"),
    [
        (b"x", SIGNATURE),
        (b"", SIGNATURE[:-1] + b"\0"),
        (b"", b""),
        (b"", bytes(64)),
        (b"", SIGNATURE + b"\0"),
    ],
)
def test_anything_else_does_not_verify(message: bytes, signature: bytes) -> None:
    assert not VerifyingKey(PUBLIC).verify(message, signature)


def test_texts_round_trip() -> None:
    assert SigningKey.from_text(PRIVATE_TEXT).to_text() == PRIVATE_TEXT
    assert VerifyingKey.from_text(PUBLIC_TEXT).to_text() == PUBLIC_TEXT


def test_generated_keys_differ_and_work() -> None:
    first, second = SigningKey.generate(), SigningKey.generate()
    assert first.to_text() != second.to_text()
    assert first.public.verify(b"message", first.sign(b"message"))
    assert not second.public.verify(b"message", first.sign(b"message"))


def test_key_id() -> None:
    assert VerifyingKey(PUBLIC).key_id.hex() == "21fe31dfa154a261"


@pytest.mark.parametrize("text", ["", "no base64!", "AAAA", PUBLIC_TEXT, PRIVATE_TEXT + "AAAA", "ü"])
def test_malformed_private_texts(text: str) -> None:
    with pytest.raises(DocumentError) as caught:
        SigningKey.from_text(text)
    assert not text or text not in str(caught.value)


def test_private_text_with_a_foreign_public_half() -> None:
    foreign = base64.b64encode(SEED + bytes(32)).decode()
    with pytest.raises(DocumentError, match="another key"):
        SigningKey.from_text(foreign)


@pytest.mark.parametrize("text", ["", "no base64!", "AAAA", PRIVATE_TEXT])
def test_malformed_public_texts(text: str) -> None:
    with pytest.raises(DocumentError):
        VerifyingKey.from_text(text)


def test_short_seed() -> None:
    with pytest.raises(DocumentError, match="32 bytes"):
        SigningKey(bytes(31))


def test_repr_keeps_the_secret() -> None:
    assert repr(SigningKey(SEED)) == f"SigningKey(public={PUBLIC_TEXT})"
    assert repr(VerifyingKey(PUBLIC)) == f"VerifyingKey({PUBLIC_TEXT})"
