"""The slow key derivation of the obfuscation layer (tunnel spec §2).

d = SHA1(seed ‖ keyword ‖ label), then 6,000 times d = SHA1(d); the key is the first 16 bytes of d. Every
connection pays for two of these, and a server pays for one per probe, so the loop is worth taking out of
Python. OpenSSL's EVP_BytesToKey, asked without a salt for the 16-byte key of a cipher that has no IV and for
6,001 rounds, computes exactly this. It is reached through the libcrypto that the interpreter's own `_hashlib`
is linked with, and is used only after it has given a known answer in this process; otherwise `hashlib` loops.

The digest is fetched once: OpenSSL 3 looks an unfetched one up again in every round, which takes twice as
long as the hashing itself.
"""

import ctypes
import functools
import hashlib
from collections.abc import Callable

__all__ = ["KEY_SIZE", "derive_key"]

KEY_SIZE = 16
_ROUNDS = 6000

_KNOWN_INPUT = bytes.fromhex("bd0f6ec32b8b84c2e812597d2bb53bbb") + b"k" + b"client_to_server"
_KNOWN_KEY = bytes.fromhex("d3fb501b748132ad73caed8cf4f9c92a")

Chain = Callable[[bytes], bytes]


def derive_key(seed: bytes, keyword: bytes, label: bytes) -> bytes:
    """Return the 16-byte RC4 key of one direction.

    `seed` is the client's 16 bytes, `keyword` the obfuscation key as raw text, `label` names the direction.
    """
    return _chain()(seed + keyword + label)


@functools.cache
def _chain() -> Chain:
    """Choose the fastest implementation that works here, once per process."""
    try:
        chain = _openssl_chain()
        if chain(_KNOWN_INPUT) == _KNOWN_KEY:
            return chain
    except (ImportError, OSError, AttributeError, TypeError):
        pass  # no such library, or no such symbols in it: hashlib is always there
    return _hashlib_chain


def _hashlib_chain(data: bytes) -> bytes:
    # Copying an empty state and updating it beats constructing a new object from the digest.
    fresh = hashlib.sha1(usedforsecurity=False).copy
    digest = hashlib.sha1(data, usedforsecurity=False).digest()
    for _ in range(_ROUNDS):
        state = fresh()
        state.update(digest)
        digest = state.digest()
    return digest[:KEY_SIZE]


def _openssl_chain() -> Chain:
    """Bind EVP_BytesToKey; raise ImportError, OSError, AttributeError or TypeError where it cannot be."""
    import _hashlib  # absent from an interpreter built without OpenSSL

    # An interpreter with _hashlib built in has no such file; None then looks in the program itself.
    libcrypto = ctypes.CDLL(getattr(_hashlib, "__file__", None))
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int

    bytes_to_key = libcrypto.EVP_BytesToKey
    bytes_to_key.restype = number
    bytes_to_key.argtypes = [pointer, pointer, pointer, text, number, number, text, pointer]

    libcrypto.EVP_aes_128_ecb.restype = pointer
    cipher = pointer(libcrypto.EVP_aes_128_ecb())
    try:
        fetch = libcrypto.EVP_MD_fetch
    except AttributeError:  # before OpenSSL 3 there was nothing to fetch
        libcrypto.EVP_sha1.restype = pointer
        sha1 = pointer(libcrypto.EVP_sha1())
    else:
        fetch.restype = pointer
        fetch.argtypes = [pointer, text, text]
        sha1 = pointer(fetch(None, b"SHA1", None))
    if not (cipher.value and sha1.value):
        return _hashlib_chain

    def chain(data: bytes) -> bytes:
        key = ctypes.create_string_buffer(KEY_SIZE)
        written = bytes_to_key(cipher, sha1, None, data, len(data), _ROUNDS + 1, key, None)
        return key.raw if written == KEY_SIZE else _hashlib_chain(data)

    return chain
