"""Properties of signed packages, what is in front of them and packed entries."""

import io
import json
import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.package_keys import KEY

from headrace.base.errors import DocumentError
from headrace.base.rng import SeededRng
from headrace.documents.package_stream import scan, unescape
from headrace.documents.packed_entry import pack_entry, unpack_entry
from headrace.documents.signed_package import make_package, open_package, read_package
from headrace.documents.transfer_urls import TransferURL, TransferURLs

streamable = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters='"\\') | st.just("\n")
)
fragments = st.lists(
    st.sampled_from(
        [
            b"{",
            b"}",
            b'"',
            b":",
            b",",
            b"data",
            b"signature",
            b"signingPublicKeyDigest",
            b"\\",
            b"n",
            b" ",
            b"\n",
            b"x",
        ]
    )
)
spaces = st.text(" \t\r\n", max_size=3)


def read_stream(package: bytes) -> str:
    return b"".join(open_package(io.BytesIO(package), KEY.public).chunks()).decode()


def outcome(read: Callable[[], object]) -> object:
    try:
        return read()
    except DocumentError:
        return DocumentError


@given(st.text(st.characters(codec="utf-8")))
def test_any_text_there_and_back(data: str) -> None:
    package = make_package(data, KEY)
    assert read_package(package, KEY.public) == data
    assert outcome(lambda: read_stream(package)) in (data, DocumentError)


@given(streamable)
def test_streamable_text_there_and_back(data: str) -> None:
    package = make_package(data, KEY)
    assert read_stream(package) == data
    lines = list(open_package(io.BytesIO(package), KEY.public).lines())
    assert "".join(line + "\n" for line in lines) in (data, data + "\n")


@given(
    streamable,
    st.permutations(["data", "signature", "signingPublicKeyDigest"]),
    st.lists(spaces, min_size=13),
)
def test_any_layout_is_read_the_same(data: str, order: list[str], gaps: list[str]) -> None:
    fields = json.loads(make_package(data, KEY, compress=False))
    tokens = ["{"]
    for name in order:
        tokens += [json.dumps(name), ":", json.dumps(fields[name], ensure_ascii=False), ","]
    tokens[-1] = "}"
    text = gaps[0] + "".join(token + gap for token, gap in zip(tokens, gaps[:13], strict=True))
    package = zlib.compress(text.encode())
    assert read_stream(package) == read_package(package, KEY.public) == data


@given(streamable, st.integers(min_value=0), st.integers(0, 7), st.booleans())
def test_no_changed_bit_changes_the_data(data: str, position: int, bit: int, inside: bool) -> None:
    package = bytearray(make_package(data, KEY, compress=not inside))
    package[position % len(package)] ^= 1 << bit
    changed = zlib.compress(package) if inside else bytes(package)
    assert outcome(lambda: read_stream(changed)) in (data, DocumentError)
    assert outcome(lambda: read_package(changed, KEY.public)) in (data, DocumentError)


@given(fragments.map(b"".join) | st.binary(), st.lists(st.integers(0, 200)))
def test_where_chunks_end_makes_no_difference(text: bytes, cuts: list[int]) -> None:
    def read(chunks: list[bytes]) -> dict[str, bytes]:
        fields: dict[str, bytes] = {}
        for name, piece in scan(iter(chunks)):
            fields[name] = fields.get(name, b"") + unescape(piece)
        return fields

    borders = [0, *sorted(cuts), len(text)]
    pieces = [text[start:end] for start, end in pairwise(borders)]
    in_pieces = outcome(lambda: read([piece for piece in pieces if piece]))
    assert in_pieces == outcome(lambda: read([text] if text else []))


@given(st.lists(st.integers(-1, 4), min_size=1), st.integers(0, 5))
def test_what_is_chosen_is_eligible(tiers: list[int], attempt: int) -> None:
    items = [TransferURL(encoded_url="YQ==", only_after_attempts=tier) for tier in tiers]
    if 0 not in tiers:
        with pytest.raises(DocumentError):
            TransferURLs(items)
        return
    urls = TransferURLs(items)
    assert urls.select(attempt, SeededRng(attempt)) in urls.eligible(attempt)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15) + 1, 10**15 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)
names = st.sampled_from(["ipAddress", "tag", "sshPort", "webServerPort", "providerID"]) | st.text()


@given(st.dictionaries(names, json_values))
def test_packed_entries_there_and_back(fields: dict[str, object]) -> None:
    try:
        packed = pack_entry(fields)
    except DocumentError:
        return
    again = unpack_entry(packed)
    assert again.keys() == fields.keys()
    assert pack_entry(again) == packed
    for name in fields.keys() - {"tag", "webServerPort", "providerID"}:
        assert again[name] == fields[name]


@given(st.binary())
def test_garbage_is_refused_as_such(data: bytes) -> None:
    def every() -> Iterator[Callable[[], object]]:
        yield lambda: read_package(data, KEY.public, compressed=False)
        yield lambda: read_package(zlib.compress(data), KEY.public)
        yield lambda: read_stream(data)
        yield lambda: read_stream(zlib.compress(data))

    assert all(outcome(read) is DocumentError for read in every())
    outcome(lambda: unpack_entry(data))
