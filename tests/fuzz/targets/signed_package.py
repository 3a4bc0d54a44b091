"""Signed packages: nothing but the text that was signed comes out; otherwise DocumentError.

What the streaming reader takes, the whole reader takes too.
"""

import io
import zlib
from contextlib import suppress

from tests.package_keys import KEY

from headrace.base.errors import DocumentError
from headrace.documents.package_stream import scan, unescape
from headrace.documents.signed_package import make_package, open_package, read_package

TEXT = "30203020302030207b7d\nabcd"
MAX_SIZE = 1024 * 1024
SEEDS = [
    make_package(TEXT, KEY),
    make_package(TEXT, KEY, compress=False),
    b'{ "signature": "AAAA",\n"data":"\\n\\n", "signingPublicKeyDigest": "AAAA"}',
]


def fuzz(data: bytes) -> None:
    """`data` is a package, or what is compressed in one."""
    with suppress(DocumentError):
        assert read_package(data, KEY.public, compressed=False, max_size=MAX_SIZE) == TEXT
    for package in (data, zlib.compress(data)):
        streamed = None
        with suppress(DocumentError):
            reader = open_package(io.BytesIO(package), KEY.public, max_size=MAX_SIZE)
            streamed = "\n".join(reader.lines())
            assert streamed == TEXT
        try:
            assert read_package(package, KEY.public, max_size=MAX_SIZE) == TEXT
        except DocumentError:
            assert streamed is None
    with suppress(DocumentError):
        for _, piece in scan(iter([data[:7], data[7:]] if data[7:] else [data])):
            assert b"\\" not in unescape(piece)
