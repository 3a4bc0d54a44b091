"""Key exchange methods: both sides agree, and every invalid public value is refused with code 3."""

import hashlib
import sys
from importlib.util import find_spec, module_from_spec

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.unit.ssh.tools import refused

from headrace.ssh import kex_methods
from headrace.ssh.algorithms import KEX_METHODS
from headrace.ssh.kex_methods import Curve25519, KexMethod, kex_method, supported_kex_methods
from headrace.ssh.modp import modp_prime
from headrace.ssh.wire import Reader, mpint, mpint_body, string

MLKEM = "mlkem768x25519-sha256"
NIST = {
    "ecdh-sha2-nistp256": ec.SECP256R1(),
    "ecdh-sha2-nistp384": ec.SECP384R1(),
    "ecdh-sha2-nistp521": ec.SECP521R1(),
}
GROUPS = {"diffie-hellman-group14-sha256": 14, "diffie-hellman-group16-sha512": 16}

#: Points of small order on Curve25519 and its twist, in every encoding below 2^255 (RFC 7748 §7).
LOW_ORDER = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]


def refuses(name: str, value: bytes) -> None:
    """Check that neither side takes this value."""
    with refused(3, "invalid"):
        kex_method(name).answer(value)
    client = kex_method(name)
    client.begin()
    with refused(3, "invalid"):
        client.finish(value)


@pytest.mark.parametrize("name", KEX_METHODS)
def test_both_sides_agree(name: str) -> None:
    client, server = kex_method(name), kex_method(name)
    reply, secret = server.answer(client.begin())
    assert client.finish(reply) == secret
    encoded = Reader(secret)
    assert len(encoded.string()) >= 31
    encoded.check_end()


@pytest.mark.parametrize("name", KEX_METHODS)
def test_each_run_has_new_values(name: str) -> None:
    assert kex_method(name).begin() != kex_method(name).begin()


@pytest.mark.parametrize("name", KEX_METHODS)
def test_the_hash_is_the_one_in_the_name(name: str) -> None:
    wanted = {"ecdh-sha2-nistp256": "sha256", "ecdh-sha2-nistp384": "sha384", "ecdh-sha2-nistp521": "sha512"}
    hash_name = wanted.get(name) or ("sha512" if "sha512" in name else "sha256")
    assert kex_method(name).digest(b"x") == hashlib.new(hash_name, b"x").digest()


def test_names_that_were_never_offered() -> None:
    with pytest.raises(KeyError):
        kex_method("diffie-hellman-group1-sha1")


# ---- X25519 ---------------------------------------------------------------------------------------------


def test_x25519_as_in_rfc_7748() -> None:
    """The first vector of §5.2; K is the 32 bytes read as a big-endian number (RFC 8731 §3.1)."""
    method = Curve25519("sha256")
    method._key = X25519PrivateKey.from_private_bytes(
        bytes.fromhex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4")
    )
    point = bytes.fromhex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")
    result = "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"
    assert method.combine(point) == bytes.fromhex("0000002100" + result)


@pytest.mark.parametrize("value", LOW_ORDER)
def test_x25519_points_of_small_order(value: str) -> None:
    refuses("curve25519-sha256", bytes.fromhex(value))


@pytest.mark.parametrize("size", [0, 1, 31, 33, 1000])
def test_x25519_wrong_lengths(size: int) -> None:
    refuses("curve25519-sha256", b"\x09" * size)


# ---- the curves of NIST ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "curve"), NIST.items())
def test_nist_invalid_points(name: str, curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve).public_key()
    good = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    size = len(good) // 2
    off_the_curve = good[:-1] + bytes((good[-1] ^ 1,))
    too_large = b"\x04" + b"\xff" * size + good[size + 1 :]
    for value in (
        off_the_curve,
        too_large,
        key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint),
        b"\x00",  # infinity
        b"\x04" + bytes(2 * size),
        b"\x06" + good[1:],  # hybrid form
        b"",
        b"\x04",
        good[:-1],
        good + b"\x00",
    ):
        refuses(name, value)


def test_nist_points_of_another_curve() -> None:
    refuses("ecdh-sha2-nistp256", kex_method("ecdh-sha2-nistp384").begin())


# ---- finite fields --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "group"), GROUPS.items())
def test_finite_field_values_outside_the_group(name: str, group: int) -> None:
    prime = modp_prime(group)
    for value in (0, 1, prime - 1, prime, prime + 1, prime * prime):
        refuses(name, mpint_body(value))
    refuses(name, b"\xff")  # minus one
    refuses(name, b"\x80" + bytes(100))
    refuses(name, (prime - 2).to_bytes(prime.bit_length() // 8, "big"))  # negative without a zero
    refuses(name, b"\x7f" * 30_000)


@pytest.mark.parametrize("name", GROUPS)
def test_finite_field_extremes_inside_the_group(name: str) -> None:
    client = kex_method(name)
    ours = client.begin()
    assert client.finish(mpint_body(2)) == string(ours)  # the generator to our exponent
    client.finish(mpint_body(modp_prime(GROUPS[name]) - 2))


def test_finite_field_secret_is_the_power() -> None:
    client, server = kex_method("diffie-hellman-group14-sha256"), kex_method("diffie-hellman-group14-sha256")
    value = int.from_bytes(client.begin(), "big")
    _reply, secret = server.answer(mpint_body(value))
    assert isinstance(server, kex_methods.FiniteField)
    assert secret == mpint(pow(value, server._exponent, modp_prime(14)))


# ---- ML-KEM with X25519 ---------------------------------------------------------------------------------


@pytest.fixture
def hybrid() -> KexMethod:
    if MLKEM not in supported_kex_methods():
        pytest.skip("the installed library has no ML-KEM")
    return kex_method(MLKEM)


@pytest.mark.parametrize("size", [0, 31, 32, 1184, 1215, 1217, 1088, 1119, 1121])
def test_hybrid_wrong_lengths(hybrid: KexMethod, size: int) -> None:
    refuses(MLKEM, b"\x09" * size)


def test_hybrid_coefficients_out_of_range(hybrid: KexMethod) -> None:
    """The modulus is 3329: twelve bits set, or 3329 itself, are no reduced coefficient (FIPS 203 §7.2)."""
    good = hybrid.begin()
    for pair in (b"\xff\xff\xff", b"\x01\x0d\x00", b"\x00\x10\xd0"):
        with refused(3, "ML-KEM key"):
            kex_method(MLKEM).answer(pair + good[3:])


@pytest.mark.parametrize("value", LOW_ORDER)
def test_hybrid_with_a_point_of_small_order(hybrid: KexMethod, value: str) -> None:
    initial = hybrid.begin()
    with refused(3, "X25519"):
        kex_method(MLKEM).answer(initial[:-32] + bytes.fromhex(value))
    reply, _secret = kex_method(MLKEM).answer(initial)
    with refused(3, "X25519"):
        hybrid.finish(reply[:-32] + bytes.fromhex(value))


def test_hybrid_with_a_changed_ciphertext_gives_another_secret(hybrid: KexMethod) -> None:
    """ML-KEM rejects implicitly: no error, no agreement."""
    reply, secret = kex_method(MLKEM).answer(hybrid.begin())
    assert hybrid.finish(bytes((reply[0] ^ 1,)) + reply[1:]) != secret


def test_hybrid_secret_is_the_hash_of_both(hybrid: KexMethod) -> None:
    reply, secret = kex_method(MLKEM).answer(hybrid.begin())
    assert isinstance(hybrid, kex_methods.MlKem768X25519)
    both = hybrid._kem.decapsulate(reply[:1088]) + hybrid._curve.shared(reply[1088:])
    assert secret == string(hashlib.sha256(both).digest())


def test_a_library_without_ml_kem(monkeypatch: pytest.MonkeyPatch) -> None:
    unwrapped = supported_kex_methods.__wrapped__
    monkeypatch.setattr(kex_methods, "_HAVE_MLKEM", False)
    assert unwrapped() == set(KEX_METHODS) - {MLKEM}

    class Unable:
        @staticmethod
        def generate() -> None:
            raise UnsupportedAlgorithm("not in this build")

    monkeypatch.setattr(kex_methods, "_HAVE_MLKEM", True)
    monkeypatch.setattr(kex_methods, "MLKEM768PrivateKey", Unable)
    assert unwrapped() == set(KEX_METHODS) - {MLKEM}


def test_a_library_from_before_ml_kem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.mlkem", None)
    spec = find_spec(kex_methods.__name__)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.supported_kex_methods() == set(KEX_METHODS) - {MLKEM}
