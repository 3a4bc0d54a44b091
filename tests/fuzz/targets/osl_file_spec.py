"""The compact form of a list's keys: read or refused with a DocumentError, and written as it was read."""

from headrace.base.errors import DocumentError
from headrace.documents.osl.key_shares import KeyShares
from headrace.documents.osl.registry import FileSpec

_LEAF = KeyShares(threshold=1, boxed_shares=[bytes(48)], slok_ids=[b"a" * 32])
_TREE = KeyShares(threshold=1, boxed_shares=[bytes(48)], key_shares=[_LEAF])

SEEDS = [
    FileSpec(id=bytes(32), key_shares=_LEAF, md5_sum=bytes(16)).to_cbor(),
    FileSpec(id=bytes(32), key_shares=_TREE).to_cbor(),
]


def fuzz(data: bytes) -> None:
    """`data` is CBOR."""
    try:
        spec = FileSpec.from_cbor(data)
    except DocumentError:
        return
    assert FileSpec.from_cbor(spec.to_cbor()).to_cbor() == spec.to_cbor()
    spec.unlockable(lambda slok_id: None)
