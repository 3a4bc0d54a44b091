"""NaCl's secretbox (XSalsa20-Poly1305) with a nonce of zeros, for keys that seal one message only.

    16-byte tag | ciphertext

The library is loaded at the first use: most runs of most programs never open a box. Source: server lists
spec §4.4.
"""

import functools
from collections.abc import Callable
from typing import Final, NamedTuple

from headrace.base.errors import DocumentError

__all__ = ["KEY_SIZE", "OVERHEAD", "open_box", "seal_box"]

KEY_SIZE: Final = 32
#: By how many bytes a box is longer than what is in it.
OVERHEAD: Final = 16
_NONCE: Final = bytes(24)


class _Library(NamedTuple):
    seal: Callable[[bytes, bytes, bytes], bytes]
    open: Callable[[bytes, bytes, bytes], bytes]
    error: type[Exception]


@functools.cache
def _library() -> _Library:
    from nacl.bindings import crypto_secretbox_easy, crypto_secretbox_open_easy
    from nacl.exceptions import CryptoError

    return _Library(crypto_secretbox_easy, crypto_secretbox_open_easy, CryptoError)


def seal_box(key: bytes, message: bytes) -> bytes:
    """Return `message` sealed with a 32-byte key that has never sealed another message."""
    return _library().seal(message, _NONCE, key)


def open_box(key: bytes, box: bytes) -> bytes:
    """Return what is in `box`. Raises DocumentError for another key, or a key or box that cannot be one."""
    if len(key) != KEY_SIZE or len(box) < OVERHEAD:
        raise DocumentError("a key or box of impossible size")
    library = _library()
    try:
        return library.open(box, _NONCE, key)
    except library.error as error:
        raise DocumentError("a box sealed with another key, or changed since") from error
