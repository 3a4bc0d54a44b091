"""Key exchange methods: two public values in, one shared secret out.

Every public value travels as the body of an SSH string: raw for the curves and ML-KEM, the bytes of an mpint
for the finite-field groups. That makes the exchange hash the same expression for all of them.

    KexMethod
    ├── Curve25519        RFC 8731
    ├── NistCurve         RFC 5656 (P-256, P-384, P-521)
    ├── FiniteField       RFC 8268 (groups 14 and 16)
    └── MlKem768X25519    draft-ietf-sshm-mlkem-hybrid-kex

Peers' values are checked as those documents demand: lengths, points on the curve, 1 < e < p-1, no all-zero
X25519 result. A bad one raises RemoteProtocolError with code 3.
"""

import hashlib
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cache, partial

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from headrace.base.errors import RemoteProtocolError
from headrace.ssh.modp import modp_prime
from headrace.ssh.numbers import KEY_EXCHANGE_FAILED
from headrace.ssh.wire import mpint, mpint_body, string

try:
    from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
except ImportError:  # an older library: the hybrid method is then not offered
    _HAVE_MLKEM = False
else:
    _HAVE_MLKEM = True

__all__ = ["KexMethod", "kex_method", "supported_kex_methods"]


def _bad_value(what: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"the peer's key exchange value is invalid: {what}", KEY_EXCHANGE_FAILED)


class KexMethod(ABC):
    """One run of a method, on one side. Use either `begin` and `finish`, or `answer`."""

    def __init__(self, hash_name: str) -> None:
        self.hash_name = hash_name

    def digest(self, data: bytes) -> bytes:
        """Hash with the method's own hash function."""
        return hashlib.new(self.hash_name, data).digest()

    @abstractmethod
    def begin(self) -> bytes:
        """Client: return our public value."""

    @abstractmethod
    def finish(self, reply: bytes) -> bytes:
        """Client: take the server's public value, return the encoded shared secret K."""

    @abstractmethod
    def answer(self, initial: bytes) -> tuple[bytes, bytes]:
        """Server: take the client's public value, return ours and the encoded shared secret K."""


class _Symmetric(KexMethod):
    """Methods in which both sides do the same: make a pair, show the public half, combine."""

    @abstractmethod
    def combine(self, peer: bytes) -> bytes: ...

    def finish(self, reply: bytes) -> bytes:
        return self.combine(reply)

    def answer(self, initial: bytes) -> tuple[bytes, bytes]:
        return self.begin(), self.combine(initial)


class Curve25519(_Symmetric):
    def begin(self) -> bytes:
        self._key = X25519PrivateKey.generate()
        return self._key.public_key().public_bytes_raw()

    def shared(self, peer: bytes) -> bytes:
        """Return the raw 32-byte result."""
        try:
            return self._key.exchange(X25519PublicKey.from_public_bytes(peer))
        except ValueError as error:  # wrong length, or a point of small order giving all zeros
            raise _bad_value("X25519") from error

    def combine(self, peer: bytes) -> bytes:
        return mpint(int.from_bytes(self.shared(peer), "big"))


class NistCurve(_Symmetric):
    def __init__(self, hash_name: str, curve: ec.EllipticCurve) -> None:
        super().__init__(hash_name)
        self._curve = curve

    def begin(self) -> bytes:
        self._key = ec.generate_private_key(self._curve)
        return self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def combine(self, peer: bytes) -> bytes:
        if peer[:1] != b"\x04":
            raise _bad_value("not an uncompressed point")
        try:
            public = ec.EllipticCurvePublicKey.from_encoded_point(self._curve, peer)
            secret = self._key.exchange(ec.ECDH(), public)
        except ValueError as error:
            raise _bad_value("not a point on the curve") from error
        return mpint(int.from_bytes(secret, "big"))


class FiniteField(_Symmetric):
    """Plain Diffie-Hellman, with Python's own integers: the library is about to drop it (only old peers ask).

    The exponent is used once and is long enough for the groups' strength (RFC 3526 §8: 310 bits do for both).
    """

    _EXPONENT_BITS = 512

    def __init__(self, hash_name: str, group: int) -> None:
        super().__init__(hash_name)
        self._prime = modp_prime(group)

    def begin(self) -> bytes:
        self._exponent = secrets.randbits(self._EXPONENT_BITS - 1) | 1 << (self._EXPONENT_BITS - 1)
        return mpint_body(pow(2, self._exponent, self._prime))

    def combine(self, peer: bytes) -> bytes:
        value = int.from_bytes(peer, "big", signed=True)
        if not 1 < value < self._prime - 1:
            raise _bad_value("outside the group")
        return mpint(pow(value, self._exponent, self._prime))


class MlKem768X25519(KexMethod):
    """ML-KEM-768 beside X25519: safe as long as either of them is."""

    _KEM_PUBLIC, _KEM_CIPHERTEXT, _POINT = 1184, 1088, 32

    def begin(self) -> bytes:
        self._kem = MLKEM768PrivateKey.generate()
        self._curve = Curve25519(self.hash_name)
        return self._kem.public_key().public_bytes_raw() + self._curve.begin()

    def finish(self, reply: bytes) -> bytes:
        if len(reply) != self._KEM_CIPHERTEXT + self._POINT:
            raise _bad_value("ML-KEM ciphertext of the wrong length")
        return self._secret(self._kem.decapsulate(reply[:-32]), self._curve.shared(reply[-32:]))

    def answer(self, initial: bytes) -> tuple[bytes, bytes]:
        if len(initial) != self._KEM_PUBLIC + self._POINT:
            raise _bad_value("ML-KEM key of the wrong length")
        try:
            kem_secret, ciphertext = MLKEM768PublicKey.from_public_bytes(initial[:-32]).encapsulate()
        except ValueError as error:  # coefficients out of range (FIPS 203 §7.2)
            raise _bad_value("ML-KEM key") from error
        curve = Curve25519(self.hash_name)
        public = ciphertext + curve.begin()
        return public, self._secret(kem_secret, curve.shared(initial[-32:]))

    def _secret(self, kem: bytes, point: bytes) -> bytes:
        return string(self.digest(kem + point))


_METHODS: dict[str, Callable[[], KexMethod]] = {
    "mlkem768x25519-sha256": partial(MlKem768X25519, "sha256"),
    "curve25519-sha256": partial(Curve25519, "sha256"),
    "curve25519-sha256@libssh.org": partial(Curve25519, "sha256"),
    "ecdh-sha2-nistp256": partial(NistCurve, "sha256", ec.SECP256R1()),
    "ecdh-sha2-nistp384": partial(NistCurve, "sha384", ec.SECP384R1()),
    "ecdh-sha2-nistp521": partial(NistCurve, "sha512", ec.SECP521R1()),
    "diffie-hellman-group14-sha256": partial(FiniteField, "sha256", 14),
    "diffie-hellman-group16-sha512": partial(FiniteField, "sha512", 16),
}


def kex_method(name: str) -> KexMethod:
    """Start one run of the named method; KeyError for a name that was never offered."""
    return _METHODS[name]()


@cache
def supported_kex_methods() -> frozenset[str]:
    """Names of the methods that the installed cryptography library can carry out."""
    names = set(_METHODS)
    try:
        if not _HAVE_MLKEM:
            raise UnsupportedAlgorithm("no ML-KEM")
        MLKEM768PrivateKey.generate()
    except UnsupportedAlgorithm:
        names.discard("mlkem768x25519-sha256")
    return frozenset(names)
