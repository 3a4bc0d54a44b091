"""Packed server entries: any bytes unpack to fields that pack again, or raise DocumentError."""

from headrace.base.errors import DocumentError
from headrace.documents.entry_fields import encode_fields, entry_tag
from headrace.documents.packed_entry import pack_entry, unpack_entry

SEEDS = [
    pack_entry(
        {"ipAddress": "192.0.2.1", "tag": "dGFn", "webServerPort": "80", "sshPort": 22, "x": {"a": [1, None]}}
    ),
    pack_entry({"providerID": "00FF", "inproxySessionPublicKey": "AAA", "webServerSecret": "00ff"}),
]


def fuzz(data: bytes) -> None:
    """`data` is a packed entry."""
    try:
        fields = unpack_entry(data)
    except DocumentError:
        return
    entry_tag(fields)
    encode_fields(fields)
    assert unpack_entry(pack_entry(fields)) == fields
