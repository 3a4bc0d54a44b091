"""Registries: what is read of them however they arrive, and what crooked ones cost."""

import base64
import contextlib
import itertools
import json
import time
import tracemalloc
from collections.abc import Iterable, Iterator
from typing import Any

import cbor2
import pytest

from headrace.base.errors import DocumentError
from headrace.documents.osl import registry
from headrace.documents.osl.key_shares import MAX_LEVELS, KeyShares
from headrace.documents.osl.registry import MAX_ITEM, FileSpec, encode_registry, read_registry

NOBODY = KeyShares(threshold=1, boxed_shares=[b"box"], slok_ids=[b"id"])


def spec(number: int, md5: bytes | None = None) -> FileSpec:
    return FileSpec(id=number.to_bytes(32, "big"), key_shares=NOBODY, md5_sum=md5)


def item(number: int = 0, **changes: Any) -> dict[str, Any]:
    """Return the JSON of an item."""
    shares = {"Threshold": 1, "BoxedShares": ["AAAA"], "SLOKIDs": ["AAAA"], "KeyShares": None}
    identity = base64.b64encode(number.to_bytes(32, "big")).decode()
    return {"ID": identity, "KeyShares": shares, "MD5Sum": None, **changes}


def encoded(json_text: bytes | str) -> str:
    return base64.b64encode(json_text.encode() if isinstance(json_text, str) else json_text).decode()


def listed(*items: object) -> str:
    return encoded(json.dumps({"FileSpecs": items}))


def cut(text: str, size: int) -> list[bytes]:
    data = text.encode()
    return [data[start : start + size] for start in range(0, len(data), size)]


# ---- reading ----------------------------------------------------------------------------------------------


def test_there_and_back() -> None:
    specs = [spec(number, bytes(16) if number % 2 else None) for number in range(100)]
    text = encode_registry(specs)
    assert list(read_registry(text)) == specs
    for size in (1, 2, 3, 5, 64, 1000, 100_000):
        assert list(read_registry(cut(text, size))) == specs


def test_small_steps_of_the_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every place where a piece may end."""
    specs = [spec(number) for number in range(5)]
    text = encode_registry(specs)
    for size in range(4, 90):
        monkeypatch.setattr(registry, "_CHUNK", size)
        assert list(read_registry(text)) == specs


def test_an_empty_registry_is_a_list() -> None:
    assert base64.b64decode(encode_registry([])) == b'{"FileSpecs" : []}'
    assert list(read_registry(encode_registry([]))) == []


def test_the_form_of_an_item() -> None:
    assert base64.b64decode(encode_registry([spec(0)])).decode() == (
        '{"FileSpecs":[{"ID":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",'
        '"KeyShares":{"Threshold":1,"BoxedShares":["Ym94"],"SLOKIDs":["aWQ="],"KeyShares":null},"MD5Sum":null}]}'
    )


def test_white_space_and_line_ends_where_json_and_base64_have_them() -> None:
    text = json.dumps({"FileSpecs": [item(1), item(2)]}, indent=3).replace("\n", "\r\n\t ")
    wrapped = "\r\n".join(piece.decode() for piece in cut(encoded(f" \n{text}\n "), 76))
    assert [read.id[-1] for read in read_registry(wrapped)] == [1, 2]


def test_unknown_members_and_strings_with_brackets_in_them() -> None:
    odd = item(7, more={"a": ["}]", '\\"]}{', "\\\\"]}, **{'{"': 1})
    assert [read.id[-1] for read in read_registry(listed(odd, item(8)))] == [7, 8]


def test_it_is_read_as_it_comes() -> None:
    """What is before a mistake, or has not arrived yet, is of no concern."""
    text = base64.b64decode(encode_registry(spec(number) for number in range(2000)))

    def arriving() -> Iterator[bytes]:
        yield base64.b64encode(text[:300_000])
        raise OSError("the rest is missing")

    reader = read_registry(arriving())
    assert next(reader).id == bytes(32)
    with pytest.raises(OSError, match="the rest"):
        list(reader)


def test_the_etag_is_the_sum_in_quotes() -> None:
    assert spec(0, bytes(range(16))).etag == '"000102030405060708090a0b0c0d0e0f"'
    assert spec(0).etag == spec(0, b"").etag == '""'


def test_who_can_open_it() -> None:
    assert spec(0).unlockable(lambda slok_id: b"key" if slok_id == b"id" else None)
    assert not spec(0).unlockable(lambda slok_id: None)
    with pytest.raises(DocumentError, match="not enough keys"):
        spec(0).file_key(lambda slok_id: None)


# ---- mistakes ---------------------------------------------------------------------------------------------


def shares(**changes: Any) -> dict[str, Any]:
    return item(KeyShares={"Threshold": 1, "BoxedShares": ["AAAA"], "SLOKIDs": ["AAAA"], **changes})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "does not begin with"),
        ("?", "not base64"),
        ("AAA", "not base64"),
        (encoded("[]"), "does not begin with"),
        (encoded('{"filespecs":[]}'), "does not begin with"),
        (encoded('{"FileSpecs":null}'), "does not begin with"),
        (encoded(" " * 5000 + '{"FileSpecs":[]}'), "does not begin with"),
        (encoded('{"FileSpecs":['), "cut short"),
        (encoded('{"FileSpecs":[]'), "more in it than FileSpecs"),
        (encoded('{"FileSpecs":[]}x'), "more in it than FileSpecs"),
        (encoded('{"FileSpecs":[],"More":1}'), "more in it than FileSpecs"),
        (encoded('{"FileSpecs":[]}' + " " * 5000 + "x"), "more in it than FileSpecs"),
        (encoded('{"FileSpecs":[3]}'), "not a list of objects"),
        (encoded('{"FileSpecs":["x"]}'), "not a list of objects"),
        (encoded('{"FileSpecs":[[]]}'), "not a list of objects"),
        (encoded('{"FileSpecs":[,]}'), "not a list of objects"),
        (encoded('{"FileSpecs":[}'), "not a list of objects"),
        (encoded('{"FileSpecs":[{}'), "missing required field"),
        (listed({}), "server list 1: object missing required field ID"),
        (listed(item(), {}), "server list 2: object missing required field ID"),
        (listed(item(ID="")), "server list 1: an ID of 0 bytes"),
        (listed(item(ID="AAAA")), "ID of 3 bytes"),
        (listed(item(ID="?")), "ID: invalid base64"),
        (listed(item(ID=3)), "ID: expected text, got a whole number|ID: expected bytes"),
        (listed(item(MD5Sum="AAAA")), "MD5 sum of 3 bytes"),
        (listed(item(KeyShares=None)), "KeyShares: expected an object, got null"),
        (listed(item(KeyShares=[])), "KeyShares: expected an object, got a list"),
        (listed(shares(Threshold=0)), "KeyShares: threshold 0 of 1 shares"),
        (listed(shares(Threshold=-(10**9))), "threshold -1000000000"),
        (listed(shares(Threshold=1.5)), "KeyShares.Threshold: expected a whole number"),
        (listed(shares(BoxedShares=["AAAA", "AAAA"])), "2 shares for 1 holders"),
        (listed(shares(KeyShares=[item()["KeyShares"]])), "both among SLOKs and among other keys"),
        (listed(item(), item()), "server list 2 was listed before"),
        (encoded(base64.b64decode(listed(item()))[:-2] + b'{"ID":1}]}'), "not a list of objects"),
        (encoded('{"FileSpecs":[{"ID":]}]}'), "server list 1 is not JSON"),
        (encoded('{"FileSpecs":[{]]}'), "server list 1 is not JSON"),
    ],
)
def test_mistakes(text: str, problem: str) -> None:
    with pytest.raises(DocumentError, match=problem):
        list(read_registry(text))


def test_base64_that_goes_on_after_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_CHUNK", 4)
    with pytest.raises(DocumentError, match="goes on after the end"):
        list(read_registry([encoded('{"FileSpecs":[] ').encode(), encoded("}").encode()]))


def test_text_that_is_not_ascii() -> None:
    with pytest.raises(DocumentError, match="not base64"):
        list(read_registry("ü" * 100))


# ---- hostile ones -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def seconds(most: float) -> Iterator[None]:
    """Fail if what is inside computes for longer. The limits leave room for a slow machine."""
    started = time.process_time()
    yield
    assert time.process_time() - started < most


@contextlib.contextmanager
def megabytes(most: float) -> Iterator[None]:
    """Fail if what is inside ever holds more memory."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most * 1e6
    finally:
        tracemalloc.stop()


def in_base64(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Return the base64 of parts, each as long as a multiple of three, without ever having all of it."""
    return (base64.b64encode(part) for part in parts)


def endless(head: bytes, body: bytes) -> Iterator[bytes]:
    """Return a registry that begins so and goes on for as long as anybody reads."""
    block = (body * (49_152 // len(body) + 1))[:49_152]
    return in_base64(itertools.chain([head.ljust(-len(head) % 3 + len(head))], itertools.repeat(block)))


@pytest.mark.parametrize(
    ("head", "body", "problem"),
    [
        (b'{"FileSpecs":[', b" ", "item of more than"),
        (b'{"FileSpecs":[{"a":', b" ", "item of more than"),
        (b'{"FileSpecs":[{"a":"', b"x", "endless string"),
        (b'{"FileSpecs":[{"a":"', b"\\", "endless string"),
        (b'{"FileSpecs":[{"a":', b"1", "item of more than"),
        (b'{"FileSpecs":[{"a":[', b'"AAAA",', "item of more than"),
        (b'{"FileSpecs":[{"a":', b"[", "nested too deeply"),
        (b'{"FileSpecs":[', b'{"":', "nested too deeply"),
        (b'{"FileSpecs":[{"a":', b"[],", "item of more than"),
        (b'{"FileSpecs":[]}', b" ", "more in it"),
        (b"{", b" ", "does not begin"),
        (b"", b"\n", "does not begin"),
    ],
)
def test_registries_without_an_end(head: bytes, body: bytes, problem: str) -> None:
    with seconds(10), pytest.raises(DocumentError, match=problem):
        list(read_registry(endless(head, body)))


@pytest.mark.parametrize("body", [b" ", b"x", b'"AAAA",'])
def test_memory_for_one_item_at_most(body: bytes) -> None:
    with megabytes(4 * MAX_ITEM / 1e6), pytest.raises(DocumentError, match="item of more than"):
        list(read_registry(endless(b'{"FileSpecs":[{"a":[', body)))


def test_memory_does_not_grow_with_the_registry() -> None:
    def parts() -> Iterator[bytes]:
        yield b'{"FileSpecs":[ '
        for number in range(5000):
            text = json.dumps(item(number, more="x" * 4000)).encode() + b","
            yield text.ljust(-len(text) % 3 + len(text))
        yield json.dumps(item(5000)).encode() + b"]}"

    with megabytes(4):
        assert sum(1 for _ in read_registry(in_base64(parts()))) == 5001


def test_line_ends_without_an_end_are_for_the_package_to_bound() -> None:
    """They are dropped as they come; 128 MiB of them, the most that a package holds, cost nothing."""
    with seconds(10), pytest.raises(DocumentError, match="does not begin"):
        list(read_registry(itertools.repeat(b"\n" * 65_536, 2048)))


def test_millions_of_lists() -> None:
    def parts() -> Iterator[bytes]:
        yield b'{"FileSpecs":[  '[:15]
        for number in itertools.count():
            text = json.dumps(item(number)).encode() + b","
            yield text.ljust(-len(text) % 3 + len(text))

    count = 0
    with seconds(30), pytest.raises(DocumentError, match="more than 100,000 server lists"):
        for _ in read_registry(in_base64(parts())):
            count += 1
    assert count == 100_000


def nested(levels: int) -> dict[str, Any]:
    node: dict[str, Any] = {"Threshold": 1, "BoxedShares": ["AAAA"], "SLOKIDs": ["AAAA"]}
    for _ in range(levels - 1):
        node = {"Threshold": 1, "BoxedShares": ["AAAA"], "KeyShares": [node]}
    return node


def test_depth() -> None:
    (deepest,) = read_registry(listed(item(KeyShares=nested(MAX_LEVELS))))
    assert not deepest.unlockable(lambda slok_id: None)
    for levels in (MAX_LEVELS + 1, 100, 10_000):
        text = '{"FileSpecs":[{"KeyShares":' + '{"KeyShares":[' * levels
        with pytest.raises(DocumentError, match="nested too deeply"):
            list(read_registry(encoded(text)))


def test_the_widest_tree_that_fits() -> None:
    """As many nodes as an item has room for: reading it, and finding out that it stays shut, is quick."""
    leaf = {"Threshold": 254, "BoxedShares": ["A" * 64] * 254, "SLOKIDs": ["A" * 44] * 254}
    wide = {"Threshold": 254, "BoxedShares": ["A" * 64] * 250, "KeyShares": [leaf] * 250}
    text = listed(item(KeyShares=wide))
    assert len(text) * 3 / 4 < MAX_ITEM < len(text)
    asked = 0

    def known(slok_id: bytes) -> None:
        nonlocal asked
        asked += 1

    with seconds(10):
        (read,) = read_registry(text)
        assert not read.unlockable(known)
    assert asked == 250 * 254


def test_an_item_too_large() -> None:
    text = encoded('{"FileSpecs":[{"a":[' + '"AAAA",' * (MAX_ITEM // 7 + 10_000) + "0]}]}")
    with seconds(10), pytest.raises(DocumentError, match="item of more than"):
        list(read_registry(text))


# ---- the compact form -------------------------------------------------------------------------------------


def test_the_compact_form() -> None:
    leaf = KeyShares(threshold=2, boxed_shares=[b"a", b"b"], slok_ids=[b"c", b"d"])
    tree = KeyShares(threshold=1, boxed_shares=[b"e"], key_shares=[leaf])
    full = FileSpec(id=bytes(32), key_shares=tree, md5_sum=bytes(16))
    compact = {
        1: bytes(32),
        2: {1: 1, 2: [b"e"], 4: [{1: 2, 2: [b"a", b"b"], 3: [b"c", b"d"]}]},
        3: bytes(16),
    }
    assert cbor2.loads(full.to_cbor()) == compact
    assert FileSpec.from_cbor(full.to_cbor()) == full
    assert FileSpec.from_cbor(spec(1).to_cbor()) == spec(1)
    assert 3 not in cbor2.loads(spec(1).to_cbor())


def test_depth_of_the_compact_form() -> None:
    (deepest,) = read_registry(listed(item(KeyShares=nested(MAX_LEVELS))))
    assert FileSpec.from_cbor(deepest.to_cbor()) == deepest
    deeper = {1: bytes(32), 2: {1: 1, 2: [b""], 4: [cbor2.loads(deepest.to_cbor())[2]]}}
    with pytest.raises(DocumentError, match="too deep"):
        FileSpec.from_cbor(cbor2.dumps(deeper))


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([], "not a map"),
        ({}, "KeyShares: expected an object"),
        ({1: bytes(31), 2: {1: 1}}, "ID of 31 bytes"),
        ({1: bytes(32), 2: 3}, "KeyShares: expected an object"),
        ({1: bytes(32), 2: {}}, "missing required field Threshold"),
        ({1: bytes(32), 2: {1: 1, 2: [b""], 4: [3]}}, r"KeyShares.KeyShares\[0\]"),
        ({1: bytes(32), 2: {1: 1, 4: 3}}, "KeyShares.KeyShares"),
        ({1: bytes(32), 2: {1: 1, 2: ["text"], 3: [b""]}}, r"BoxedShares\[0\]"),
    ],
)
def test_crooked_compact_forms(value: object, problem: str) -> None:
    with pytest.raises(DocumentError, match=problem):
        FileSpec.from_cbor(cbor2.dumps(value))


@pytest.mark.parametrize("data", [b"", b"\xff", b"\x9f" * 100, b"\x81" * 10_000, b"\xba\xff\xff\xff\xff"])
def test_what_is_no_cbor(data: bytes) -> None:
    with pytest.raises(DocumentError, match="CBOR"):
        FileSpec.from_cbor(data)
