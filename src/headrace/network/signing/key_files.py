"""A private key in a file of its own, closed with a passphrase: for custody away from the management.

    {"headrace": "private key", "version": 1, "network", "purpose", "name", "public", "key_id", "wrapped"}

`wrapped` is base64 of the private text as an operator's key wraps it (`vault`). What is readable without the
passphrase is bound to it: a file whose other fields were changed does not open.
"""

import os
from typing import Annotated, Final, Literal

import msgspec

from headrace.base.errors import DocumentError, OperatorError
from headrace.base.rng import Rng
from headrace.network.signing.kinds import Purpose
from headrace.network.signing.making import KeyPair, adopt_key
from headrace.network.signing.reading import read_document
from headrace.network.vault import OperatorKey, write_private

__all__ = ["KeyFile", "open_key_file", "read_key_file", "write_key_file"]

_MAX_FILE: Final = 64 * 1024  # bytes; a key of 16,384 bits needs a quarter

_Short = Annotated[str, msgspec.Meta(max_length=200)]


class KeyFile(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="headrace",
    tag="private key",
):
    """What a key file says; the key itself takes `open_key_file`."""

    version: Literal[1] = 1
    network: _Short
    purpose: Purpose
    name: _Short
    public: str
    key_id: _Short
    wrapped: bytes

    def __repr__(self) -> str:
        return f"KeyFile(purpose={self.purpose}, key_id={self.key_id!a})"


def write_key_file(
    path: str | os.PathLike[str], network: str, key: KeyPair, lock: OperatorKey, rng: Rng
) -> None:
    """Write a key to a new file that only its owner can read, to be opened with `lock`, a passphrase's.

    Raises OperatorError when there is such a file, or the key has no private half.
    """
    if not key.private:
        raise OperatorError(
            f"the {key.purpose} key has nothing secret to keep in a file: clients are told of it"
        )
    purpose = Purpose(key.purpose)
    context = _context(network, purpose, key.name, key.public, key.key_id)
    document = KeyFile(
        network=network,
        purpose=purpose,
        name=key.name,
        public=key.public,
        key_id=key.key_id,
        wrapped=lock.wrap(key.private.encode(), context, rng),
    )
    write_private(path, msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n", "private key")


def read_key_file(data: bytes, file: str = "the key file") -> KeyFile:
    """Return what a key file says. Raises DocumentError."""
    return read_document(data, KeyFile, file, _MAX_FILE)


def open_key_file(document: KeyFile, lock: OperatorKey) -> KeyPair:
    """Return the key in a key file. Raises WrongKey, DamagedSecret and DocumentError."""
    context = _context(document.network, document.purpose, document.name, document.public, document.key_id)
    text = lock.unwrap(document.wrapped, context).decode("ascii", "replace")
    key = adopt_key(document.purpose, text, name=document.name)
    if (key.public, key.key_id) != (document.public, document.key_id):
        raise DocumentError("the private key in this file belongs to another public key: it was made wrongly")
    return key


def _context(*parts: str) -> bytes:
    return msgspec.json.encode(["headrace key file", *parts])
