"""A registry's text: lists or DocumentError, and what was read can be asked for its key and written again."""

import base64
import contextlib

from headrace.base.errors import DocumentError
from headrace.documents.osl.key_shares import KeyShares
from headrace.documents.osl.registry import FileSpec, encode_registry, read_registry

_LEAF = KeyShares(threshold=1, boxed_shares=[bytes(48)] * 2, slok_ids=[b"a" * 32, b"b" * 32])
_TREE = KeyShares(threshold=2, boxed_shares=[bytes(48)] * 2, key_shares=[_LEAF, _LEAF])
_SPECS = [FileSpec(id=bytes([number]) * 32, key_shares=_TREE, md5_sum=bytes(16)) for number in range(2)]

#: The first byte chooses: the JSON inside base64 in pieces of that size, or, for 0, the base64 itself.
SEEDS = [
    b"\x00" + encode_registry(_SPECS).encode(),
    b"\x40" + base64.b64decode(encode_registry(_SPECS)),
    b"\x03" + base64.b64decode(encode_registry([])),
]


def fuzz(data: bytes) -> None:
    """`data` is the text, or what is inside it."""
    step, rest = data[0] if data else 0, data[1:]
    text = base64.b64encode(rest) if step else rest
    chunks = [text[start : start + (step or 64)] for start in range(0, len(text), step or 64)]
    with contextlib.suppress(DocumentError):
        for spec in read_registry(chunks):
            openable = spec.unlockable(lambda slok_id: bytes(32))
            try:
                key = spec.file_key(lambda slok_id: bytes(32))
            except DocumentError:
                pass
            else:
                assert openable and len(key) == 32
            assert list(read_registry(encode_registry([spec]))) == [spec]
