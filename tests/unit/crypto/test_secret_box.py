"""Boxes that open with their key only."""

import subprocess
import sys

import pytest

from headrace.base.errors import DocumentError
from headrace.crypto.secret_box import OVERHEAD, open_box, seal_box

KEY = bytes(range(32))


def test_a_known_box() -> None:
    """XSalsa20-Poly1305 of these inputs, by another implementation."""
    assert seal_box(KEY, b"headrace").hex() == "6e2a9c97ae2b14fb3f9162f8ec655c3d226b9125eacbdc56"


@pytest.mark.parametrize("size", [0, 1, 32, 100_000])
def test_there_and_back(size: int) -> None:
    message = bytes(size)
    box = seal_box(KEY, message)
    assert len(box) == size + OVERHEAD
    assert open_box(KEY, box) == message


def test_a_changed_box_or_another_key() -> None:
    box = seal_box(KEY, b"message")
    for place in range(len(box)):
        changed = bytearray(box)
        changed[place] ^= 1
        with pytest.raises(DocumentError, match="another key, or changed"):
            open_box(KEY, bytes(changed))
    with pytest.raises(DocumentError, match="another key, or changed"):
        open_box(bytes(32), box)
    with pytest.raises(DocumentError, match="another key, or changed"):
        open_box(KEY, box[:-1])


@pytest.mark.parametrize(
    ("key", "box"), [(bytes(31), bytes(16)), (b"", bytes(16)), (KEY, bytes(15)), (KEY, b"")]
)
def test_impossible_sizes(key: bytes, box: bytes) -> None:
    with pytest.raises(DocumentError, match="impossible size"):
        open_box(key, box)


def test_the_library_is_loaded_when_it_is_needed() -> None:
    program = "import sys, headrace.documents.osl.registry; sys.exit('nacl' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
