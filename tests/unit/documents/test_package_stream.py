"""The streaming reader's subset of JSON, and the zlib stream around it."""

import io
import random
import tracemalloc
import zlib
from collections.abc import Iterator

import pytest

from headrace.base.errors import DocumentError
from headrace.documents.package_stream import CHUNK, inflate, scan, unescape

MIB = 1024 * 1024
COMPLETE = b'{"data":"a\\nb","signingPublicKeyDigest":"c","signature":"d"}'
FIELDS = {"data": b"a\\nb", "signingPublicKeyDigest": b"c", "signature": b"d"}


def scanned(*chunks: bytes) -> dict[str, bytes]:
    fields: dict[str, bytes] = {}
    for name, piece in scan(iter(chunks)):
        assert unescape(piece).count(b"\\") == 0, "an escape was cut in two"
        fields[name] = fields.get(name, b"") + piece
    return fields


def inflated(package: bytes, max_size: int = MIB) -> bytes:
    chunks = list(inflate(io.BytesIO(package), max_size))
    assert all(0 < len(chunk) <= CHUNK for chunk in chunks)
    return b"".join(chunks)


def bomb(head: bytes, unit: bytes, times: int) -> bytes:
    """Compress `head` and then MiBs of `unit` without spending the time: flushed blocks can be repeated."""
    compressor = zlib.compressobj(9)
    start = compressor.compress(head) + compressor.flush(zlib.Z_FULL_FLUSH)
    block = compressor.compress(unit * (MIB // len(unit))) + compressor.flush(zlib.Z_FULL_FLUSH)
    return start + block * times


def test_any_order_and_white_space() -> None:
    assert scanned(COMPLETE) == FIELDS
    spaced = b' \t\r\n{ "signature"\n:\t"d" , "data" : "a\\nb","signingPublicKeyDigest":"c"\r}\n\n '
    assert scanned(spaced) == FIELDS
    assert scanned(b'{"data":"","signingPublicKeyDigest":"","signature":""}') == dict.fromkeys(FIELDS, b"")


@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_chunks_may_end_anywhere(step: int) -> None:
    assert scanned(*(COMPLETE[at : at + step] for at in range(0, len(COMPLETE), step))) == FIELDS


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "cut short"),
        (b"   ", "cut short"),
        (COMPLETE[:-1], "cut short"),
        (COMPLETE[:-2], "no closing quote"),
        (b'{"data', "no closing quote"),
        (b'{"data"', "cut short"),
        (b"[]", r"'\[' where { was expected"),
        (b"{}", "'}' where \" was expected"),
        (b"\xef\xbb\xbf" + COMPLETE, r"'\\xef' where { was expected"),
        (b'{"data":1}', "'1' where \" was expected"),
        (b'{"data":{}}', 'where " was expected'),
        (b'{"data":null}', 'where " was expected'),
        (b'{"data";"a"}', "';' where : was expected"),
        (b'{"data":"a""signature":"b"}', "where , or } was expected"),
        (COMPLETE[:-1] + b",}", "'}' where \" was expected"),
        (COMPLETE + b"}", "'}' where the end was expected"),
        (COMPLETE + b"\0", r"'\\x00' where the end was expected"),
        (COMPLETE + COMPLETE, "'{' where the end was expected"),
        (b'{"other":"a"}', "unknown field 'other'"),
        (b'{"":"a"}', "unknown field ''"),
        (b'{"Data":"a"}', "unknown field 'Data'"),
        (b'{"d\\u0061ta":"a"}', "unknown field"),
        (b'{"data\\n":"a"}', "unknown field"),
        (b'{"signingPublicKeyDigestAndMore":"a"}', "unknown field 'signingPublicKeyDigest'"),
        (b'{"data":"a","data":"a"}', "field data comes twice"),
        (b'{"data":"a","signature":"a"}', "field signingPublicKeyDigest is missing"),
    ],
)
def test_everything_else_is_refused(text: bytes, reason: str) -> None:
    with pytest.raises(DocumentError, match=reason):
        scanned(text)
    with pytest.raises(DocumentError, match=reason):
        scanned(*(text[at : at + 1] for at in range(len(text))))


@pytest.mark.parametrize("padding", [b"", b"-" * 4000])
def test_escapes(padding: bytes) -> None:
    """Sparse and dense ones are looked for in different ways."""
    assert unescape(padding + b"a\\nb\\n\\nc" + padding) == padding + b"a\nb\n\nc" + padding
    for wrong in (b"\\", b"\\t", b"\\\\n", b"\\N", b"\\u000a", b"\\/", b"\\n\\"):
        with pytest.raises(DocumentError, match="an escape other than"):
            unescape(padding + wrong + padding)


def test_an_escaped_quote_does_not_pass() -> None:
    with pytest.raises(DocumentError, match="an escape other than"):
        scanned(b'{"data":"a\\"b","signingPublicKeyDigest":"c","signature":"d"}')


def test_inflating() -> None:
    text = random.Random(1).randbytes(200_000) + bytes(500_000)
    assert inflated(zlib.compress(text)) == text
    assert inflated(zlib.compress(b"")) == b""


def test_every_end_but_the_real_one_is_too_short() -> None:
    package = zlib.compress(COMPLETE)
    for end in range(len(package)):
        with pytest.raises(DocumentError, match=f"cut short after {end} compressed bytes"):
            inflated(package[:end])
    with pytest.raises(DocumentError, match="followed by bytes"):
        inflated(package + b"\0")
    # Just behind a block that was read, too.
    long = zlib.compressobj(0)
    stored = long.compress(bytes(CHUNK - 16)) + long.flush()
    for filler in range(32):
        with pytest.raises(DocumentError, match="followed by bytes"):
            inflated(stored + bytes(filler + 1))


@pytest.mark.parametrize("start", [b"\x1f\x8b\x08\0", COMPLETE, b"<html>", b"\x78\x9d", bytes(9)])
def test_what_is_not_zlib_is_called_that(start: bytes) -> None:
    with pytest.raises(DocumentError, match="not compressed with zlib"):
        inflated(start)


def test_damage_is_called_that() -> None:
    package = bytearray(zlib.compress(COMPLETE))
    package[-1] ^= 1
    with pytest.raises(DocumentError, match="damaged"):
        inflated(bytes(package))
    with pytest.raises(DocumentError, match="damaged"):  # a dictionary nobody has
        inflated(zlib.compressobj(zdict=b"dictionary").flush())


def test_size_limit() -> None:
    assert len(inflated(zlib.compress(bytes(MIB)))) == MIB
    with pytest.raises(DocumentError, match=f"too large: more than {MIB} bytes"):
        inflated(zlib.compress(bytes(MIB + 1)))
    noise = random.Random(1).randbytes(MIB)
    with pytest.raises(DocumentError, match="too large"):
        inflated(zlib.compress(noise))  # a little more than a MiB when compressed


def test_blocks_of_nothing_count_too() -> None:
    with pytest.raises(DocumentError, match="too large"):
        inflated(b"\x78\x9c" + b"\0\0\0\xff\xff" * (MIB // 5 + 1))


class _CountingFile(io.BytesIO):
    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.taken += len(data)
        return data


@pytest.mark.parametrize(
    ("package", "reason", "most_read"),
    [
        (bomb(b"", b"\0", 1024), r"'\\x00' where { was expected", CHUNK),
        (bomb(b"", b"[", 1024), "where { was expected", CHUNK),
        (bomb(b"{", b"{", 1024), 'where " was expected', CHUNK),
        (bomb(b'{"', b"x", 1024), "unknown field", CHUNK),
        (bomb(b'{"data":"', b'x","data":"', 1024), "comes twice", CHUNK),
        (bomb(b'{"data":"', b"\\\\", 1024), "an escape other than", CHUNK),
        (bomb(b"", b" ", 1024), "too large", 2 * MIB),
        (bomb(b'{"data":"', b"0", 1024), "too large", 2 * MIB),
        (bomb(b'{"data":"', b"\\n", 1024), "too large", 2 * MIB),
        (bomb(COMPLETE, b"\n", 1024), "too large", 2 * MIB),
    ],
    ids=lambda value: None if isinstance(value, bytes) else str(value),
)
def test_a_gigabyte_is_given_up_early_and_never_held(package: bytes, reason: str, most_read: int) -> None:
    file = _CountingFile(package)
    tracemalloc.start()
    try:
        with pytest.raises(DocumentError, match=reason):
            read_all(scan(inflate(file, 16 * MIB)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert file.taken <= most_read
    assert peak < MIB


def read_all(pieces: Iterator[tuple[str, bytes]]) -> None:
    for _, piece in pieces:
        unescape(piece)
