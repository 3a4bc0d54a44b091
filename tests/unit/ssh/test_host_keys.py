"""Host keys: what is signed verifies, and nothing weaker or different does."""

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from tests.unit.ssh.tools import refused

from headrace.base.errors import DocumentError, RemoteProtocolError
from headrace.ssh.host_keys import HostKey, algorithms_for, verify
from headrace.ssh.wire import mpint, string
from headrace.testing.peers import host_key

DATA = b"exchange hash"


def pem(key: object, form: PrivateFormat = PrivateFormat.PKCS8, password: bytes = b"") -> bytes:
    protection = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, form, protection)  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize(
    ("kind", "algorithm"), [("rsa", "rsa-sha2-256"), ("rsa", "rsa-sha2-512"), ("ed25519", "ssh-ed25519")]
)
def test_what_is_signed_verifies(kind: str, algorithm: str) -> None:
    key = host_key(kind)
    assert algorithm in key.algorithms
    signature = key.sign(algorithm, DATA)
    verify(key.blob, algorithm, signature, DATA)
    with refused(9, "does not verify"):
        verify(key.blob, algorithm, signature, DATA + b"!")
    for place in range(0, len(signature), 7):
        changed = bytearray(signature)
        changed[place] ^= 0x10
        with pytest.raises(RemoteProtocolError):
            verify(key.blob, algorithm, bytes(changed), DATA)


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_another_key_does_not_verify(kind: str) -> None:
    key, other = host_key(kind), HostKey.generate(kind)
    algorithm = key.algorithms[0]
    with refused(9):
        verify(other.blob, algorithm, key.sign(algorithm, DATA), DATA)


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_truncations_are_refused(kind: str) -> None:
    key = host_key(kind)
    algorithm = key.algorithms[0]
    signature = key.sign(algorithm, DATA)
    for size in range(len(signature)):
        with pytest.raises(RemoteProtocolError):
            verify(key.blob, algorithm, signature[:size], DATA)
    for size in range(len(key.blob)):
        with pytest.raises(RemoteProtocolError):
            verify(key.blob[:size], algorithm, signature, DATA)
    with pytest.raises(RemoteProtocolError):
        verify(key.blob + b"\0", algorithm, signature, DATA)
    with pytest.raises(RemoteProtocolError):
        verify(key.blob, algorithm, signature + b"\0", DATA)


def rsa_blob(key: rsa.RSAPrivateKey) -> bytes:
    numbers = key.public_key().public_numbers()
    return string(b"ssh-rsa") + mpint(numbers.e) + mpint(numbers.n)


def test_short_rsa_keys_are_refused() -> None:
    short = rsa.generate_private_key(65537, 1024)
    signature = short.sign(DATA, padding.PKCS1v15(), SHA256())
    with refused(9, "too short"):
        verify(rsa_blob(short), "rsa-sha2-256", string(b"rsa-sha2-256") + string(signature), DATA)
    with pytest.raises(DocumentError, match="1024 bits"):
        HostKey.from_pem(pem(short))


def test_huge_rsa_keys_are_refused_before_they_cost_time() -> None:
    blob = string(b"ssh-rsa") + mpint(65537) + mpint((1 << 16384) - 1)
    with refused(9, "too long"):
        verify(blob, "rsa-sha2-256", string(b"rsa-sha2-256") + string(bytes(2048)), DATA)


@pytest.mark.parametrize("exponent", [0, 1, 2, 65536])
def test_rsa_exponents_that_cannot_be(exponent: int) -> None:
    blob = string(b"ssh-rsa") + mpint(exponent) + mpint((1 << 2047) + 1)
    with refused(9):
        verify(blob, "rsa-sha2-256", string(b"rsa-sha2-256") + string(bytes(256)), DATA)


def test_sha1_signatures_are_refused() -> None:
    key = rsa.generate_private_key(65537, 2048)
    sha1 = string(key.sign(DATA, padding.PKCS1v15(), SHA1()))
    for named in (b"ssh-rsa", b"rsa-sha2-256"):
        with refused(9):
            verify(rsa_blob(key), "rsa-sha2-256", string(named) + sha1, DATA)
    with refused(9, "another type"):
        verify(rsa_blob(key), "ssh-rsa", string(b"ssh-rsa") + sha1, DATA)


def test_the_signature_must_use_the_negotiated_algorithm() -> None:
    key = host_key("rsa")
    with refused(9, "another algorithm"):
        verify(key.blob, "rsa-sha2-512", key.sign("rsa-sha2-256", DATA), DATA)


def test_the_key_must_be_of_the_negotiated_type() -> None:
    rsa_key, edwards = host_key("rsa"), host_key("ed25519")
    with refused(9, "another type"):
        verify(rsa_key.blob, "ssh-ed25519", edwards.sign("ssh-ed25519", DATA), DATA)
    with refused(9, "another type"):
        verify(edwards.blob, "rsa-sha2-256", rsa_key.sign("rsa-sha2-256", DATA), DATA)


def test_an_ed25519_point_of_the_wrong_length() -> None:
    key = host_key("ed25519")
    for size in (0, 31, 33):
        with refused(9):
            verify(
                string(b"ssh-ed25519") + string(bytes(size)),
                "ssh-ed25519",
                key.sign("ssh-ed25519", DATA),
                DATA,
            )


@pytest.mark.parametrize("blob", [b"", b"\0\0\0\x09ssh", string(b"ssh-dss"), string(b"\xff"), bytes(4)])
def test_blobs_of_unknown_kind_have_no_algorithms(blob: bytes) -> None:
    assert algorithms_for(blob) == ()


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_private_keys_survive_a_file(kind: str) -> None:
    key = host_key(kind)
    assert HostKey.from_pem(key.to_pem()).blob == key.blob


@pytest.mark.parametrize(
    "form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL, PrivateFormat.OpenSSH]
)
def test_forms_of_private_keys(form: PrivateFormat) -> None:
    key = rsa.generate_private_key(65537, 2048)
    assert HostKey.from_pem(pem(key, form)).blob == rsa_blob(key)


def test_private_keys_that_are_of_no_use() -> None:
    elliptic = ec.generate_private_key(ec.SECP256R1())
    encrypted = pem(ed25519.Ed25519PrivateKey.generate(), password=b"word")
    in_openssh = pem(ed25519.Ed25519PrivateKey.generate(), PrivateFormat.OpenSSH, b"word")
    for text in (b"", b"nonsense", pem(elliptic), encrypted, in_openssh, b"OPENSSH PRIVATE KEY"):
        with pytest.raises(DocumentError):
            HostKey.from_pem(text)


def test_a_key_that_its_own_library_stumbles_over() -> None:
    """A point that claims to be of another curve: an internal error there (found by fuzzing)."""
    body = b"MC4CAQAwBQYDK2VxBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
    with pytest.raises(DocumentError):
        HostKey.from_pem(b"-----BEGIN PRIVATE KEY-----\n" + body + b"\n-----END PRIVATE KEY-----\n")


def test_an_old_kind_of_key_is_a_document_error() -> None:
    with pytest.raises(DocumentError):
        HostKey.from_pem(pem(dsa.generate_private_key(2048)))
