"""Signers: what signs entries and packages without telling with what. A key service can take their place.

A local signer has the private key. An offline signer has signatures that were made elsewhere: what it has
none for it collects, to be signed where the key is (`offline`), and raises NeedsOfflineSignature. So that one
journey is enough for many objects, inside `collecting` it gives out blanks instead and raises at the end:

    with signer.collecting():
        files = list(pave(..., as_package_key(signer), ...))

Nothing made inside is to be used when it raises. What holds signatures, or sums of what holds them, takes a
journey of its own after theirs: lists are collected when their entries are signed, and a registry with the
sums of its lists when those are signed. Collected together, it would be signed for nothing.
"""

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, cast

from headrace.base.errors import OperatorError
from headrace.crypto.rsa_signing import PackageSigningKey, PackageVerifyingKey
from headrace.crypto.signing import SIGNATURE_SIZE, SigningKey, VerifyingKey
from headrace.network.signing.kinds import Form, kind_of
from headrace.network.signing.making import entry_key_id, package_key_id

__all__ = [
    "EntrySigner",
    "LocalEntrySigner",
    "LocalPackageSigner",
    "NeedsOfflineSignature",
    "OfflineEntrySigner",
    "OfflinePackageSigner",
    "PackageSigner",
    "Unsigned",
    "as_entry_key",
    "as_package_key",
    "public_verifies",
]


class EntrySigner(Protocol):
    """Signs server entries with Ed25519."""

    @property
    def key_id(self) -> str:
        """The key's id, 16 hexadecimal digits."""
        ...

    @property
    def public(self) -> VerifyingKey:
        """The public half."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature over `message`. Raises NeedsOfflineSignature."""
        ...


class PackageSigner(Protocol):
    """Signs packages with RSA."""

    @property
    def key_id(self) -> str:
        """The key's id, 16 hexadecimal digits."""
        ...

    @property
    def public(self) -> PackageVerifyingKey:
        """The public half."""
        ...

    @property
    def digest(self) -> str:
        """What names the key in a package."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the signature over `message`, as long as the key. Raises NeedsOfflineSignature."""
        ...


@dataclass(frozen=True, slots=True)
class Unsigned:
    """Something to be signed offline; `name` tells people what it is."""

    name: str
    data: bytes

    @property
    def sha256(self) -> str:
        """What its signature is kept under: 64 hexadecimal digits."""
        return hashlib.sha256(self.data).hexdigest()


class NeedsOfflineSignature(OperatorError):
    """Nothing can go on before `wanted` are signed with the key `key_id` for `purpose`, which is not here."""

    def __init__(self, purpose: str, key_id: str, wanted: tuple[Unsigned, ...]) -> None:
        count = "one object" if len(wanted) == 1 else f"{len(wanted)} objects"
        super().__init__(
            f"the {purpose} key {key_id} is offline and has to sign {count}: take a request to it, "
            "sign there, and import the answer"
        )
        self.purpose = purpose
        self.key_id = key_id
        self.wanted = wanted


class LocalEntrySigner:
    """Signs entries with a private key, in text form, that is here. Raises DocumentError for other text."""

    def __init__(self, private: str) -> None:
        self._key = SigningKey.from_text(private)
        self.public = self._key.public
        self.key_id = entry_key_id(self.public)

    def sign(self, message: bytes) -> bytes:
        """Return the signature."""
        return self._key.sign(message)

    def __repr__(self) -> str:
        return f"LocalEntrySigner(key_id={self.key_id})"


class LocalPackageSigner:
    """Signs packages with a private key, in text form, that is here. Raises DocumentError for other text."""

    def __init__(self, private: str) -> None:
        self._key = PackageSigningKey.from_text(private)
        self.public = self._key.public
        self.digest = self.public.digest
        self.key_id = package_key_id(self.public)

    def sign(self, message: bytes) -> bytes:
        """Return the signature."""
        return self._key.sign(message)

    def __repr__(self) -> str:
        return f"LocalPackageSigner(key_id={self.key_id})"


class _Offline:
    """What both offline signers have in common; `signatures` by the SHA-256, in hexadecimal, of the data."""

    def __init__(self, purpose: str, key_id: str, blank: bytes, signatures: Mapping[str, bytes]) -> None:
        self.purpose = purpose
        self.key_id = key_id
        self._blank = blank
        self._signatures = signatures
        self._wanted: dict[str, Unsigned] = {}
        self._name = ""
        self._is_collecting = False
        self._blanks = 0

    def sign(self, message: bytes) -> bytes:
        """Return the signature that was imported. Raises NeedsOfflineSignature; see `collecting`."""
        sha256 = hashlib.sha256(message).hexdigest()
        if signature := self._signatures.get(sha256):
            return signature
        unsigned = Unsigned(f"{self._name or 'object'} {sha256[:8]}", message)
        self._wanted.setdefault(sha256, unsigned)
        if self._is_collecting:
            self._blanks += 1
            return self._blank
        raise NeedsOfflineSignature(self.purpose, self.key_id, (unsigned,))

    @property
    def wanted(self) -> tuple[Unsigned, ...]:
        """All that this signer had no signature for, in the order in which it was met."""
        return tuple(self._wanted.values())

    @contextlib.contextmanager
    def naming(self, name: str) -> Iterator[None]:
        """Say what is being signed inside, for the people who will sign it elsewhere."""
        outer, self._name = self._name, name
        try:
            yield
        finally:
            self._name = outer

    @contextlib.contextmanager
    def collecting(self) -> Iterator[None]:
        """Give out blanks inside for what is not signed yet, and raise NeedsOfflineSignature at the end."""
        outer, self._is_collecting = self._is_collecting, True
        before = self._blanks
        try:
            yield
        finally:
            self._is_collecting = outer
        if self._blanks > before:
            raise NeedsOfflineSignature(self.purpose, self.key_id, self.wanted)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(key_id={self.key_id}, wanted={len(self._wanted)})"


class OfflineEntrySigner(_Offline):
    """Stands for a key that signs entries and is elsewhere; `public` is its text."""

    def __init__(self, purpose: str, public: str, signatures: Mapping[str, bytes]) -> None:
        self.public = VerifyingKey.from_text(public)
        super().__init__(purpose, entry_key_id(self.public), bytes(SIGNATURE_SIZE), signatures)


class OfflinePackageSigner(_Offline):
    """Stands for a key that signs packages and is elsewhere; `public` is its text."""

    def __init__(self, purpose: str, public: str, signatures: Mapping[str, bytes]) -> None:
        self.public = PackageVerifyingKey.from_text(public)
        self.digest = self.public.digest
        super().__init__(purpose, package_key_id(self.public), b"\0", signatures)


def as_entry_key(signer: EntrySigner) -> SigningKey:
    """Return a signer as `sign_entry` takes it, which asks for no more than signers have."""
    return cast("SigningKey", signer)


def as_package_key(signer: PackageSigner) -> PackageSigningKey:
    """Return a signer as `make_package` and the paver take it, which ask for no more than signers have."""
    return cast("PackageSigningKey", signer)


def public_verifies(purpose: str, public: str, message: bytes, signature: bytes) -> bool:
    """Say whether the signature is that of the key with this public text. Raises DocumentError for no key."""
    if kind_of(purpose).form is Form.ED25519:
        return VerifyingKey.from_text(public).verify(message, signature)
    return PackageVerifyingKey.from_text(public).verify(message, signature)
