"""Both readers of signed packages, on good, bad and hostile ones; the vectors are in tests/vectors."""

import base64
import io
import json
import random
import tracemalloc
import zlib

import pytest
from tests.package_keys import KEY, new_key

from headrace.base.errors import DocumentError
from headrace.documents.package_stream import CHUNK
from headrace.documents.server_list import MAX_LINE, stream_list
from headrace.documents.signed_package import MAX_PACKAGE, make_package, open_package, read_package

OTHER = new_key()
LINES = ["30203020302030207b7d" * 20, "abcd", "0123456789" * 100]
DATA = "\n".join(LINES)
PACKAGE = make_package(DATA, KEY)


def read_stream(package: bytes, max_size: int = MAX_PACKAGE) -> str:
    reader = open_package(io.BytesIO(package), KEY.public, max_size=max_size)
    return b"".join(reader.chunks()).decode()


def lines_of(data: str) -> list[str]:
    return list(open_package(io.BytesIO(make_package(data, KEY)), KEY.public).lines())


def wrap(**changes: object) -> bytes:
    """Return the package with fields of its JSON changed, or removed when None."""
    fields = json.loads(make_package(DATA, KEY, compress=False)) | changes
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


def both_refuse(text: bytes, reason: str) -> None:
    with pytest.raises(DocumentError, match=reason):
        read_package(text, KEY.public, compressed=False)
    with pytest.raises(DocumentError, match=reason):
        read_package(zlib.compress(text), KEY.public)
    with pytest.raises(DocumentError, match=reason):
        read_stream(zlib.compress(text))


@pytest.mark.parametrize("data", [DATA, "", "\n", "é ☃ 𐍈", 'x"\\/<>&\u2028\0\x1f', "A" * 300_000])
def test_whole_reader_reads_what_was_written(data: str) -> None:
    assert read_package(make_package(data, KEY), KEY.public) == data
    assert read_package(make_package(data, KEY, compress=False), KEY.public, compressed=False) == data


@pytest.mark.parametrize("data", [DATA, "", "\n", "é ☃ 𐍈/<>&\u2028\x7f" * 9000, "A" * 300_000, "\n" * 70_000])
def test_streaming_reader_reads_what_was_written(data: str) -> None:
    assert read_stream(make_package(data, KEY)) == data


def test_fields_come_in_the_usual_order() -> None:
    assert list(json.loads(make_package("", KEY, compress=False))) == [
        "data",
        "signingPublicKeyDigest",
        "signature",
    ]


def test_text_that_utf_8_does_not_have_is_not_signed() -> None:
    with pytest.raises(DocumentError, match="surrogates not allowed at character 3"):
        make_package("ab\ud800", KEY)


def test_a_small_exponent() -> None:
    key = new_key(exponent=3)
    assert read_package(make_package(DATA, key), key.public) == DATA


def test_another_key() -> None:
    package = make_package(DATA, OTHER)
    with pytest.raises(DocumentError, match=r"^package is signed with another key$"):
        read_package(package, KEY.public)
    with pytest.raises(DocumentError, match=r"^package is signed with another key$"):
        open_package(io.BytesIO(package), KEY.public)


def test_anothers_signature_under_our_name() -> None:
    signature = base64.b64encode(OTHER.sign(DATA.encode())).decode()
    both_refuse(wrap(signature=signature), "^package was changed after it was signed$")


def test_changed_data() -> None:
    both_refuse(wrap(data=DATA + "\n"), "^package was changed after it was signed$")
    both_refuse(wrap(data=DATA[:-1]), "^package was changed after it was signed$")
    both_refuse(wrap(signature=""), "^package was changed after it was signed$")


@pytest.mark.parametrize("name", ["data", "signingPublicKeyDigest", "signature"])
def test_ill_formed_fields(name: str) -> None:
    both_refuse(wrap(**{name: None}), f"not a package: .*{name}")
    both_refuse(wrap(**{name: 5}), "not a package: ")
    both_refuse(wrap(**{name: ["a"]}), "not a package: ")
    if name != "data":
        both_refuse(wrap(**{name: "not base64"}), f"not a package: {name} is not base64")
        both_refuse(wrap(**{name: "é"}), f"not a package: {name} is not base64")


@pytest.mark.parametrize(
    "text", [b"", b" ", b"[]", b"{}", b"null", b'"a"', b"\xff", b"{" * 100_000, b"[" * 100_000]
)
def test_other_documents(text: bytes) -> None:
    both_refuse(text, "not a package: ")


def test_a_field_that_is_longer_than_any_signature() -> None:
    with pytest.raises(DocumentError, match="signature is longer than any key makes it"):
        read_stream(zlib.compress(wrap(signature="A" * 10_000_000)))


@pytest.mark.parametrize("code", [*range(0x20)])
def test_raw_control_characters_are_not_json(code: int) -> None:
    text = make_package("a-b", KEY, compress=False)
    both_refuse(text.replace(b"a-b", b"a" + bytes([code]) + b"b"), "not a package: ")


@pytest.mark.parametrize("bad", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80"])
def test_bad_utf_8(bad: bytes) -> None:
    text = make_package("a-b", KEY, compress=False)
    both_refuse(text.replace(b"-b", bad), "not a package: ")


def test_characters_and_escapes_across_chunks() -> None:
    for filler in range(CHUNK - 14, CHUNK - 6):
        data = "x" * filler + "☃\n☃\n"
        assert read_stream(make_package(data, KEY)) == data


def test_the_whole_reader_is_bounded_too() -> None:
    both = make_package("a" * 10_000, KEY)
    for package, compressed in ((both, True), (zlib.decompress(both), False)):
        with pytest.raises(DocumentError, match="too large: more than 5000 bytes"):
            read_package(package, KEY.public, compressed=compressed, max_size=5000)
    with pytest.raises(DocumentError, match="too large: more than 5000 bytes"):
        read_stream(both, max_size=5000)
    with pytest.raises(DocumentError, match="too large: more than 100 bytes"):
        read_package(both, KEY.public, max_size=100)


def test_no_package_is_made_that_readers_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(make_package("a\n" * 1000, KEY, compress=False))
    monkeypatch.setattr("headrace.documents.signed_package.MAX_PACKAGE", size)
    assert make_package("a\n" * 1000, KEY)
    with pytest.raises(DocumentError, match=f"too large for its readers: more than {size} bytes"):
        make_package("a\n" * 1000 + "a", KEY)


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        ("", []),
        ("a", ["a"]),
        ("a\n", ["a"]),
        ("a\nb", ["a", "b"]),
        ("a\n\nb\n", ["a", "", "b"]),
        ("\n", [""]),
        ("\u2028\x7f", ["\u2028\x7f"]),
    ],
)
def test_lines(data: str, lines: list[str]) -> None:
    assert lines_of(data) == lines


def test_many_lines() -> None:
    lines = [f"{number:x}" * (number % 900) for number in range(1, 2000)]
    assert lines_of("\n".join(lines)) == lines
    assert lines_of("\n".join(lines) + "\n") == lines


def test_long_lines() -> None:
    assert lines_of("x\n" + "a" * MAX_LINE + "\ny") == ["x", "a" * MAX_LINE, "y"]
    for rest in ("", "\n", "\nb", "a" * 1_000_000):
        package = make_package("x\n" + "a" * (MAX_LINE + 1) + rest, KEY)
        lines = open_package(io.BytesIO(package), KEY.public).lines()
        assert next(lines) == "x"
        with pytest.raises(DocumentError, match=r"^line 2: longer than 65535 characters$"):
            next(lines)


def test_lines_feed_the_list_reader() -> None:
    line = b'0 0 0 0 {"ipAddress":"192.0.2.1"}'.hex()
    reader = open_package(io.BytesIO(make_package(f"{line}\n{line}\n", KEY)), KEY.public)
    entries = list(stream_list(reader.lines(), "REMOTE", "2024-01-02T03:04:05Z"))
    assert [entry["ipAddress"] for entry in entries] == ["192.0.2.1"] * 2


def test_the_data_can_be_read_more_than_once() -> None:
    reader = open_package(io.BytesIO(PACKAGE), KEY.public)
    next(reader.lines())
    assert list(reader.lines()) == LINES
    assert b"".join(reader.chunks()).decode() == DATA


@pytest.mark.parametrize(
    "later",
    [
        make_package("evil", KEY),
        make_package(DATA[:-1], KEY),
        make_package(DATA[:-1] + "x", KEY),
        make_package("x" + DATA, KEY),
        make_package("", KEY),
        PACKAGE[:30],
        b"",
    ],
)
def test_a_file_that_is_changed_after_the_check(later: bytes) -> None:
    file = io.BytesIO(PACKAGE)
    reader = open_package(file, KEY.public)
    file.seek(0)
    file.truncate()
    file.write(later)
    with pytest.raises(DocumentError):
        read = b""
        for chunk in reader.chunks():
            read += chunk
    assert DATA.encode().startswith(read)


def test_a_file_that_ends_early_after_the_check() -> None:
    """What it still has may be the data of exactly one chunk; that was checked, but it is not all."""
    data = "0" * CHUNK
    fields = json.loads(make_package(data, KEY, compress=False))
    spaced = json.dumps(fields).encode()
    shorter = json.dumps({**fields, "data": data[:-10]}, separators=(",", ":")).encode()
    file = io.BytesIO(zlib.compress(spaced))
    chunks = open_package(file, KEY.public).chunks()
    file.seek(0)
    file.write(zlib.compress(shorter))
    file.truncate()
    assert next(chunks) == data[:-10].encode()
    with pytest.raises(DocumentError, match="changed while it was being read"):
        next(chunks)


def test_data_may_come_last() -> None:
    fields = json.loads(make_package(DATA, KEY, compress=False))
    assert read_stream(zlib.compress(json.dumps(dict(reversed(fields.items()))).encode())) == DATA


def test_nothing_changed_is_released_even_late_in_the_file() -> None:
    data = "".join(random.Random(1).choices("0123456789abcdef", k=500_000))
    file = io.BytesIO(zlib.compress(make_package(data, KEY, compress=False), 0))
    reader = open_package(file, KEY.public)
    file.getbuffer()[400_000] ^= 1
    read = b""
    with pytest.raises(DocumentError, match="changed while it was being read"):
        for chunk in reader.chunks():
            read += chunk
    assert 300_000 < len(read) < 400_000
    assert data.encode().startswith(read)


def flipped(package: bytes, rng: random.Random) -> bytes:
    changed = bytearray(package)
    changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def test_a_thousand_flips_release_no_changed_data() -> None:
    """In the compressed bytes a few flips change nothing: unused bits before the checksum."""
    rng = random.Random(1)
    unnoticed = 0
    for _ in range(1000):
        package = flipped(PACKAGE, rng)
        try:
            assert read_stream(package) == DATA
            assert read_package(package, KEY.public) == DATA
            unnoticed += 1
        except DocumentError:
            with pytest.raises(DocumentError):
                read_package(package, KEY.public)
    assert unnoticed < 10


def test_a_thousand_flips_behind_the_checksum_release_no_changed_data() -> None:
    """The same in the JSON: other white space, and bits that base64 does not use, change nothing."""
    rng = random.Random(2)
    text = json.dumps(json.loads(make_package(DATA, KEY, compress=False)), indent=1).encode()
    unnoticed = 0
    for _ in range(1000):
        changed = flipped(text, rng)
        try:
            assert read_stream(zlib.compress(changed)) == DATA
            unnoticed += 1
        except DocumentError:
            pass
        try:
            assert read_package(changed, KEY.public, compressed=False) == DATA
        except DocumentError:
            pass
    assert unnoticed < 10


@pytest.mark.parametrize("megabytes", [1, 24])
def test_memory_does_not_grow_with_the_list(megabytes: int) -> None:
    line = "0123456789abcdef" * 200
    package = make_package("\n".join([line] * (megabytes * 1_000_000 // len(line))), KEY)
    file = io.BytesIO(package)
    tracemalloc.start()
    try:
        reader = open_package(file, KEY.public)
        assert all(read == line for read in reader.lines())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 700_000
