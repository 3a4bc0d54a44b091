"""The search for private keys in what is given to users: by the names of fields, and by what texts are.

    PEM       says so itself
    RSA, EC   base64 of DER, locked or not
    Ed25519   base64 of 64 bytes, the second half of which is the public key to the first

A secret of random bytes has no form to know it by; it is found by its value (`exports.forbidden`).
"""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_private_key

from headrace.base.errors import DocumentError
from headrace.crypto.signing import SigningKey

__all__ = ["private_key_places"]

_NAME: Final = re.compile(r"private_?key|master_?key|hmac_?key", re.IGNORECASE)
_PEM: Final = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY")
#: Shorter texts hold neither.
_LEAST: Final = 64
_ED25519_TEXT: Final = 88


def private_key_places(value: object, place: str = "") -> Iterator[str]:
    """Yield where in a JSON value there are private keys, as "Field[0].inner"; never what they are."""
    match value:
        case dict():
            for name, inner in value.items():
                where = f"{place}.{name}" if place else str(name)
                if inner and _NAME.search(str(name)):
                    yield where
                else:
                    yield from private_key_places(inner, where)
        case list():
            for number, inner in enumerate(value):
                yield from private_key_places(inner, f"{place}[{number}]")
        case str() if _is_private_key(value):
            yield place


def _is_private_key(text: str) -> bool:
    if _PEM.search(text):
        return True
    if len(text) < _LEAST:
        return False
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return _is_ed25519(text) if len(text) == _ED25519_TEXT else _is_der(data)


def _is_ed25519(text: str) -> bool:
    try:
        SigningKey.from_text(text)
    except DocumentError:
        return False
    return True


def _is_der(data: bytes) -> bool:
    try:
        load_der_private_key(data, None)
    except TypeError:
        return True  # it is locked
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True
