import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_der_private_key,
    load_der_public_key,
)
from tests.package_keys import KEY

from headrace.base.errors import DocumentError, OperatorError
from headrace.base.rng import SYSTEM_RNG, SeededRng
from headrace.crypto.rsa_signing import PackageSigningKey, PackageVerifyingKey
from headrace.crypto.signing import SigningKey, VerifyingKey
from headrace.network.signing.kinds import KINDS, Form, Purpose
from headrace.network.signing.making import adopt_key, entry_key_id, make_key, package_key_id

RSA_PURPOSES = [purpose for purpose, kind in KINDS.items() if kind.form is Form.RSA]
RANDOM_PURPOSES = [purpose for purpose, kind in KINDS.items() if kind.form is Form.RANDOM]


def test_a_new_entry_key_signs_what_its_public_half_verifies() -> None:
    key = make_key("entry-signing", SYSTEM_RNG)
    public = VerifyingKey.from_text(key.public)
    assert public.verify(b"entry", SigningKey.from_text(key.private).sign(b"entry"))
    assert key.key_id == public.key_id.hex() == entry_key_id(public)


def test_a_new_list_key_signs_what_its_public_half_verifies() -> None:
    key = make_key("list-signing", SYSTEM_RNG, bits=2048)
    public = PackageVerifyingKey.from_text(key.public)
    assert public.verify(b"list", PackageSigningKey.from_text(key.private).sign(b"list"))
    assert base64.b64decode(public.digest).hex().startswith(key.key_id)
    assert key.key_id == package_key_id(public)
    assert len(key.key_id) == 16


def test_a_new_rsa_key_has_4096_bits_and_the_exponent_that_the_specification_wants() -> None:
    key = make_key("list-signing", SYSTEM_RNG)
    public = load_der_public_key(base64.b64decode(key.public))
    assert isinstance(public, RSAPublicKey)
    assert (public.key_size, public.public_numbers().e) == (4096, 65_537)


@pytest.mark.parametrize("purpose", RANDOM_PURPOSES)
def test_a_random_key_has_32_bytes_on_the_right_side(purpose: Purpose) -> None:
    name = "scheme 0" if KINDS[purpose].is_named else ""
    key = make_key(purpose, SYSTEM_RNG, name=name)
    secret = purpose != Purpose.EXCHANGE
    assert (key.public == "", key.private == "") == (secret, not secret)
    assert len(base64.b64decode(key.public or key.private)) == 32
    assert key.name == name
    assert make_key(purpose, SYSTEM_RNG, name=name) != key


def test_random_keys_come_from_the_randomness_that_was_passed() -> None:
    assert make_key("discovery-hmac", SeededRng(1)) == make_key("discovery-hmac", SeededRng(1))


def test_the_id_of_a_secret_is_no_part_of_it() -> None:
    key = make_key("discovery-hmac", SYSTEM_RNG)
    assert key.key_id not in base64.b64decode(key.private).hex()
    assert len(key.key_id) == 16


@pytest.mark.parametrize("purpose", ["entry-signing", "discovery-hmac", "exchange-obfuscation"])
def test_a_key_that_is_there_is_adopted_as_it_is(purpose: str) -> None:
    key = make_key(purpose, SYSTEM_RNG)
    assert adopt_key(purpose, f"{key.private or key.public}\n") == key


@pytest.mark.parametrize("purpose", RSA_PURPOSES)
def test_an_rsa_key_is_adopted_from_base64_and_from_a_locked_pem(purpose: Purpose) -> None:
    der = load_der_private_key(base64.b64decode(KEY.to_text()), None)
    lock = BestAvailableEncryption(b"none")
    pem = der.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, lock).decode()
    adopted = adopt_key(purpose, pem, password="none")
    assert adopted == adopt_key(purpose, KEY.to_text())
    assert (adopted.public, adopted.purpose) == (KEY.public.to_text(), purpose)
    with pytest.raises(DocumentError, match="password is wrong"):
        adopt_key(purpose, pem, password="nothing")


@pytest.mark.parametrize("purpose", ["entry-signing", "list-signing", "discovery-hmac"])
@pytest.mark.parametrize("text", ["", "no base64!", "c2hvcnQ=", "ü"])
def test_text_that_is_no_key_is_refused_without_repeating_it(purpose: str, text: str) -> None:
    with pytest.raises(DocumentError) as caught:
        adopt_key(purpose, text)
    assert not text or text not in str(caught.value)


def test_names_are_for_the_keys_of_which_there_are_many() -> None:
    with pytest.raises(OperatorError, match="give this one a name"):
        make_key("osl-master", SYSTEM_RNG)
    with pytest.raises(OperatorError, match="have no names"):
        make_key("entry-signing", SYSTEM_RNG, name="second")


def test_an_unknown_purpose_makes_no_key() -> None:
    with pytest.raises(OperatorError, match="no keys for 'magic'"):
        make_key("magic", SYSTEM_RNG)


def test_the_private_half_is_not_shown() -> None:
    key = make_key("entry-signing", SYSTEM_RNG)
    assert key.private not in repr(key)
    assert key.public in repr(key)
