"""Host keys: RSA with SHA-2 signatures (RFC 8332) and Ed25519 (RFC 8709); never SHA-1."""

from cryptography.exceptions import InternalError, InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA512
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from headrace.base.errors import DocumentError, RemoteProtocolError
from headrace.ssh import numbers
from headrace.ssh.wire import Reader, mpint, string

__all__ = ["HostKey", "algorithms_for", "verify"]

_RSA_HASHES: dict[str, type[SHA256 | SHA512]] = {"rsa-sha2-512": SHA512, "rsa-sha2-256": SHA256}
#: Below this RSA is breakable; above it a hostile key would only cost us time.
_RSA_BITS = range(2048, 8193)

PrivateKey = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


def _key_error(message: str) -> RemoteProtocolError:
    return RemoteProtocolError(message, numbers.HOST_KEY_NOT_VERIFIABLE)


class HostKey:
    """A server's private host key: `blob` is the public half as it goes over the wire."""

    def __init__(self, key: PrivateKey) -> None:
        self._key = key
        if isinstance(key, rsa.RSAPrivateKey):
            public = key.public_key().public_numbers()
            self.blob = string(b"ssh-rsa") + mpint(public.e) + mpint(public.n)
        else:
            self.blob = string(b"ssh-ed25519") + string(key.public_key().public_bytes_raw())
        self.algorithms = algorithms_for(self.blob)

    @classmethod
    def generate(cls, kind: str = "rsa", bits: int = 2048) -> "HostKey":
        """Make a new key; `kind` is "rsa" or "ed25519"."""
        if kind == "rsa":
            return cls(rsa.generate_private_key(65537, bits))
        return cls(ed25519.Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, text: str | bytes) -> "HostKey":
        """Read a private key in PKCS#1, PKCS#8 or OpenSSH form. Raises DocumentError."""
        data = text.encode() if isinstance(text, str) else text
        try:
            load = load_ssh_private_key if b"OPENSSH PRIVATE KEY" in data else load_pem_private_key
            key = load(data, None)
        except (ValueError, TypeError, UnsupportedAlgorithm, InternalError) as error:
            raise DocumentError("the host key is not an unencrypted PEM private key") from error
        if isinstance(key, rsa.RSAPrivateKey) and key.key_size not in _RSA_BITS:
            raise DocumentError(f"the RSA host key has {key.key_size} bits; at least 2048 are needed")
        if not isinstance(key, PrivateKey):
            raise DocumentError("the host key is neither RSA nor Ed25519")
        return cls(key)

    def to_pem(self) -> str:
        """Return the private key in the form `from_pem` and the deployed servers read."""
        rsa_key = isinstance(self._key, rsa.RSAPrivateKey)
        form = PrivateFormat.TraditionalOpenSSL if rsa_key else PrivateFormat.PKCS8
        return self._key.private_bytes(Encoding.PEM, form, NoEncryption()).decode("ascii")

    def sign(self, algorithm: str, data: bytes) -> bytes:
        """Return the signature blob: algorithm name and signature."""
        if isinstance(self._key, rsa.RSAPrivateKey):
            signature = self._key.sign(data, padding.PKCS1v15(), _RSA_HASHES[algorithm]())
        else:
            signature = self._key.sign(data)
        return string(algorithm.encode("ascii")) + string(signature)


def algorithms_for(blob: bytes) -> tuple[str, ...]:
    """Return the signature algorithms that a public key blob can be used with; () for an unknown type."""
    kinds = {b"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256"), b"ssh-ed25519": ("ssh-ed25519",)}
    try:
        return kinds.get(bytes(Reader(blob).string()), ())
    except RemoteProtocolError:
        return ()


def verify(blob: bytes, algorithm: str, signature_blob: bytes, data: bytes) -> None:
    """Check the server's signature. Raises RemoteProtocolError: code 9, or 2 where a value is cut short."""
    signature_reader = Reader(signature_blob)
    named = bytes(signature_reader.string())
    signature = bytes(signature_reader.string())
    signature_reader.check_end()
    if named != algorithm.encode("ascii"):
        raise _key_error("the host key's signature uses another algorithm than negotiated")
    if algorithm not in algorithms_for(blob):
        raise _key_error("the host key is of another type than negotiated")
    reader = Reader(blob)
    reader.string()
    try:
        if algorithm == "ssh-ed25519":
            point = reader.bytes(reader.u32())
            reader.check_end()
            ed25519.Ed25519PublicKey.from_public_bytes(point).verify(signature, data)
        else:
            exponent, modulus = (int.from_bytes(reader.string(), "big") for _ in range(2))
            reader.check_end()
            if modulus.bit_length() not in _RSA_BITS:
                raise _key_error("the RSA host key is too short or too long")
            hash_class = _RSA_HASHES[algorithm]
            public = rsa.RSAPublicNumbers(exponent, modulus).public_key()
            public.verify(signature, data, padding.PKCS1v15(), hash_class())
    except (InvalidSignature, ValueError) as error:
        raise _key_error("the host key's signature does not verify") from error
