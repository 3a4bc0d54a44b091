"""Secrets at rest: whoever gets the database, and not the operator's key, learns none of them.

A vault has a random key of its own, which seals secrets and never changes. Its header, kept in the database,
is that key wrapped by the operator's key: a passphrase, or a file kept elsewhere. So a new operator's key
means a new header and no more.

    wrapped   "HRW1" | kind (1) | cost (1) | salt (16) | nonce (12) | ciphertext | tag (16) | check (8)
    sealed    version (1) | nonce (12) | ciphertext | tag (16)

Both are AES-256-GCM with associated data that says what they are for: a secret moved to another place does
not open there. The wrapping key is made of a passphrase by scrypt, with N = 2^cost, r = 8 and p = 1, and of
a key file by HKDF. The check, the start of a SHA-256 over what is before it, tells damage from a wrong key.
"""

import base64
import binascii
import contextlib
import enum
import hashlib
import hmac
import os
import unicodedata
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from headrace.base.errors import OperatorError
from headrace.base.rng import Rng
from headrace.crypto.hkdf import hkdf_sha256

__all__ = [
    "LEAST_PASSPHRASE",
    "DamagedSecret",
    "OperatorKey",
    "Vault",
    "WrongKey",
    "file_key",
    "make_key_file",
    "passphrase_key",
    "write_private",
]

#: Characters of the shortest passphrase that is taken.
LEAST_PASSPHRASE: Final = 8

_MAGIC: Final = b"HRW1"
_SEALED: Final = b"\x01"
_KEY_SIZE, _SALT_SIZE, _NONCE_SIZE, _TAG_SIZE, _CHECK_SIZE = 32, 16, 12, 16, 8
_HEAD_SIZE: Final = len(_MAGIC) + 2 + _SALT_SIZE + _NONCE_SIZE
#: The usual cost is a tenth of a second and 32 MB; the highest that is obeyed takes 256 MB.
_USUAL_COST, _MOST_COST = 15, 18
_FILE_MARK: Final = "headrace-operator-key-1"
_HEADER_CONTEXT: Final = b"headrace vault"


class WrongKey(OperatorError):
    """What is to be opened was closed with another passphrase or key file."""


class DamagedSecret(OperatorError):
    """A secret is not what was written: it is damaged, was changed, or was moved from elsewhere."""


class _Kind(enum.IntEnum):
    PASSPHRASE = 1
    FILE = 2


class OperatorKey:
    """What an operator keeps to himself: made by `passphrase_key` or `file_key`. Its repr shows nothing."""

    __slots__ = ("_cost", "_kind", "_secret")

    def __init__(self, kind: _Kind, secret: bytes, cost: int) -> None:
        self._kind = kind
        self._secret = secret
        self._cost = cost

    def wrap(self, secret: bytes, context: bytes, rng: Rng) -> bytes:
        """Return `secret` so that it takes this key, and the same `context`, to get it back."""
        salt, nonce = rng.bytes(_SALT_SIZE), rng.bytes(_NONCE_SIZE)
        head = _MAGIC + bytes([self._kind, self._cost]) + salt + nonce
        box = AESGCM(self._wrapping_key(salt, self._cost)).encrypt(nonce, secret, head + context)
        return head + box + _check(head + box)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Return the secret. Raises WrongKey and DamagedSecret."""
        body, check = wrapped[:-_CHECK_SIZE], wrapped[-_CHECK_SIZE:]
        if (
            len(body) < _HEAD_SIZE + _TAG_SIZE
            or not body.startswith(_MAGIC)
            or not hmac.compare_digest(_check(body), check)
        ):
            raise DamagedSecret("what holds the wrapped key is damaged: take it from a backup")
        head, box = body[:_HEAD_SIZE], body[_HEAD_SIZE:]
        kind, cost = head[len(_MAGIC)], head[len(_MAGIC) + 1]
        salt, nonce = head[len(_MAGIC) + 2 : -_NONCE_SIZE], head[-_NONCE_SIZE:]
        if kind not in list(_Kind) or cost > _MOST_COST or (kind == _Kind.PASSPHRASE) != (cost > 0):
            raise DamagedSecret(
                "the wrapped key is of a form that this program does not know: use a newer one"
            )
        if kind != self._kind:
            closed_by = "a passphrase" if kind == _Kind.PASSPHRASE else "a key file"
            given = "a passphrase" if self._kind == _Kind.PASSPHRASE else "a key file"
            raise WrongKey(f"this takes {closed_by} to open, not {given}: give that")
        try:
            return AESGCM(self._wrapping_key(salt, cost)).decrypt(nonce, box, head + context)
        except InvalidTag:
            what = "passphrase" if kind == _Kind.PASSPHRASE else "key file"
            raise WrongKey(f"the {what} is the wrong one: give the one that this was closed with") from None

    def _wrapping_key(self, salt: bytes, cost: int) -> bytes:
        if self._kind == _Kind.FILE:
            return hkdf_sha256(self._secret, salt=salt, info=b"headrace operator key", length=_KEY_SIZE)
        return Scrypt(salt=salt, length=_KEY_SIZE, n=1 << cost, r=8, p=1).derive(self._secret)

    def __repr__(self) -> str:
        return "OperatorKey()"


class Vault:
    """An open vault. Its repr shows nothing."""

    __slots__ = ("_box", "_key")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._box = AESGCM(_subkey(key, b"seal"))

    @classmethod
    def create(cls, key: OperatorKey, rng: Rng) -> "tuple[Vault, bytes]":
        """Make a new vault; return it with its header, which is no secret and has to be kept."""
        vault = cls(rng.bytes(_KEY_SIZE))
        return vault, vault.rewrap(key, rng)

    @classmethod
    def open(cls, header: bytes, key: OperatorKey) -> "Vault":
        """Open a vault by its header. Raises WrongKey and DamagedSecret."""
        secret = key.unwrap(header, _HEADER_CONTEXT)
        if len(secret) != _KEY_SIZE:
            raise DamagedSecret("this is no vault's header: take it from a backup")
        return cls(secret)

    def rewrap(self, key: OperatorKey, rng: Rng) -> bytes:
        """Return a header by which `key` opens this vault. Older headers still open it with their keys."""
        return key.wrap(self._key, _HEADER_CONTEXT, rng)

    def seal(self, context: bytes, data: bytes, rng: Rng) -> bytes:
        """Return `data` sealed, and only the same `context` opens it: whose it is, and what."""
        nonce = rng.bytes(_NONCE_SIZE)
        return _SEALED + nonce + self._box.encrypt(nonce, data, _SEALED + context)

    def unseal(self, context: bytes, sealed: bytes) -> bytes:
        """Return what was sealed. Raises DamagedSecret."""
        start = len(_SEALED) + _NONCE_SIZE
        if len(sealed) < start + _TAG_SIZE or not sealed.startswith(_SEALED):
            raise DamagedSecret("a secret is damaged: take the database from a backup")
        try:
            return self._box.decrypt(sealed[len(_SEALED) : start], sealed[start:], _SEALED + context)
        except InvalidTag:
            raise DamagedSecret(
                "a secret was damaged or changed, or belongs elsewhere: take the database from a backup"
            ) from None

    def fingerprint(self, text: str) -> str:
        """Return 12 hexadecimal digits that tell secrets apart, and nothing else about them."""
        key = _subkey(self._key, b"fingerprint")
        return hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:12]

    def derive(self, purpose: str) -> bytes:
        """Return the 32-byte key of this vault for `purpose`: always the same, and telling of no other."""
        return _subkey(self._key, b"derive " + purpose.encode())

    def __repr__(self) -> str:
        return "Vault()"


def passphrase_key(text: str, *, cost: int = _USUAL_COST) -> OperatorKey:
    """Return the key that a passphrase is. Raises OperatorError for one that anybody would guess.

    What is closed with it takes scrypt with N = 2^`cost`, 1 to 18, to open.
    """
    if not 1 <= cost <= _MOST_COST:
        raise ValueError(f"no cost of a passphrase: {cost}")
    try:
        secret = unicodedata.normalize("NFC", text).encode()  # keyboards differ in how they compose letters
    except UnicodeEncodeError:
        raise OperatorError(
            "the passphrase is not Unicode text: check what it was typed or stored in"
        ) from None
    if len(text) < LEAST_PASSPHRASE:
        raise OperatorError(
            f"the passphrase is too short: it takes {LEAST_PASSPHRASE} characters or more, better five words"
        )
    return OperatorKey(_Kind.PASSPHRASE, secret, cost)


def file_key(source: bytes | str | os.PathLike[str]) -> OperatorKey:
    """Return the key in a key file, or in the contents of one (bytes). Raises OperatorError."""
    if isinstance(source, bytes):
        return _parse_key_file(source, "the key file")
    try:
        with open(source, "rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            data = stream.read(4096)
    except FileNotFoundError:
        raise OperatorError(f"key file {source} does not exist: check the name") from None
    except OSError as error:
        raise OperatorError(f"key file {source} cannot be read: {error.strerror}") from error
    if os.name == "posix" and mode & 0o007:
        raise OperatorError(f"key file {source} is open to everybody: make it private with chmod 600")
    return _parse_key_file(data, f"key file {source}")


def make_key_file(path: str | os.PathLike[str], rng: Rng) -> OperatorKey:
    """Write a new key to a new file that only its owner can read. Raises OperatorError if there is one."""
    secret = rng.bytes(_KEY_SIZE)
    write_private(path, f"{_FILE_MARK} {base64.b64encode(secret).decode()}\n".encode(), "key file")
    return OperatorKey(_Kind.FILE, secret, 0)


def write_private(path: str | os.PathLike[str], data: bytes, what: str) -> None:
    """Write `data` to a new file that only its owner can read. Raises OperatorError if there is one."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise OperatorError(
            f"{path} exists already, and what is in it may be needed: choose another name for the {what}"
        ) from None
    except OSError as error:
        raise OperatorError(f"{what} {path} cannot be written: {error.strerror}") from error
    try:
        with open(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(handle)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise OperatorError(f"{what} {path} cannot be written: {error.strerror}") from error


def _parse_key_file(data: bytes, what: str) -> OperatorKey:
    try:
        mark, text = data.decode("ascii").split()
        secret = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        mark, secret = "", b""
    if mark != _FILE_MARK or len(secret) != _KEY_SIZE:
        raise OperatorError(f"{what} holds no operator's key: name the file that was made as one")
    return OperatorKey(_Kind.FILE, secret, 0)


def _subkey(key: bytes, purpose: bytes) -> bytes:
    return hkdf_sha256(key, salt=b"headrace vault", info=purpose, length=_KEY_SIZE)


def _check(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:_CHECK_SIZE]
