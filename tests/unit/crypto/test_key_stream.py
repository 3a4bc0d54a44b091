"""The stream of key material; a known one is in tests/vectors/test_osl.py."""

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import ECB

from headrace.crypto.key_stream import KeyStream

KEY = bytes(range(32))


def blocks(count: int) -> bytes:
    """Return the stream's beginning, made of single blocks."""
    encryptor = Cipher(AES256(KEY), ECB()).encryptor()
    return b"".join(encryptor.update(number.to_bytes(16, "big")) for number in range(count))


@pytest.mark.parametrize("size", [1, 7, 16, 32, 4095, 4096, 4097, 10_000])
def test_it_is_the_same_however_it_is_read(size: int) -> None:
    expected = blocks(2000)
    stream = KeyStream(KEY)
    read = b""
    while len(read) + size <= len(expected):
        piece = stream.read(size)
        assert len(piece) == size
        read += piece
    assert read == expected[: len(read)]


def test_nothing_is_read_for_nothing() -> None:
    stream = KeyStream(KEY)
    assert stream.read(0) == b""
    assert stream.read(16) == blocks(1)
