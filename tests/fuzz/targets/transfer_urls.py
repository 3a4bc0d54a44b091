"""Lists of transfer URLs: valid ones always have something to choose, all others raise DocumentError."""

from headrace.base.errors import DocumentError
from headrace.base.rng import SeededRng
from headrace.documents.json_canonical import decode_json
from headrace.documents.transfer_urls import TransferURLs

SEEDS = [
    (
        b'[{"URL":"aHR0cHM6Ly9hLmV4YW1wbGUveA==","SkipVerify":true,"OnlyAfterAttempts":0,"RequestHeaders":{"a":"b"}},'
        b'{"URL":"aHR0cHM6Ly9iLmV4YW1wbGUveA==","OnlyAfterAttempts":2,"FrontingSpecs":[{"Host":"a"}]}]'
    ),
]


def fuzz(data: bytes) -> None:
    """`data` is the list as JSON."""
    try:
        urls = TransferURLs.from_fields(decode_json(data), "fuzzed")
    except DocumentError:
        return
    assert urls.canonical_url in [item.url for item in urls.eligible(0)]
    if all(item.fronting_specs for item in urls):
        return
    assert not urls.select(0, SeededRng(1)).fronting_specs
