"""Packed entries; the known answers are in tests/vectors."""

import cbor2
import pytest

from headrace.base.errors import DocumentError
from headrace.documents.packed_entry import pack_entry, unpack_entry

EVERY_CONVERSION: dict[str, object] = {
    "tag": "dGFn",
    "ipAddress": "192.0.2.1",
    "webServerPort": "8080",
    "webServerSecret": "00ff",
    "sshPort": 22,
    "sshPassword": "",
    "providerID": "00FF",
    "frontingProviderID": "AB",
    "inproxySessionPublicKey": "AAA",
    "inproxySessionRootObfuscationSecret": "AAAA",
    "signature": "AAA=",
    "isLocalDerivedTag": False,
    "allowUpstreamProxy": True,
    "unknown": {"bb": [1, -1, 0, -0.0, 1.5, 1e300, 10**14, None, True, "x"], "a": {}, "c": []},
}


def test_round_trip() -> None:
    unpacked = unpack_entry(pack_entry(EVERY_CONVERSION))
    assert unpacked == EVERY_CONVERSION
    assert repr(unpacked["unknown"]) == repr({"a": {}, "c": [], "bb": EVERY_CONVERSION["unknown"]["bb"]})  # type: ignore[index]


def test_bytes() -> None:
    packed = pack_entry({"unknown": {"b": 1, "aa": 2, "a": 3}, "region": "CH", "tag": "AAAA", "sshPort": 22})
    number = {1: "fb3ff0000000000000", 2: "fb4000000000000000", 3: "fb4008000000000000"}
    expected = "a2" + "01" + "a3" + "0143000000" + "06fb4036000000000000" + "1162" + b"CH".hex()
    expected += "02" + "a1" + "67" + b"unknown".hex() + "a3"
    expected += "6161" + number[3] + "6162" + number[1] + "626161" + number[2]
    assert packed.hex() == expected


def test_empty_parts_are_left_out() -> None:
    assert pack_entry({}) == b"\xa0"
    assert pack_entry({"x": ""}).hex() == "a102a1617860"
    assert unpack_entry(b"\xa0") == {}


def test_digits_come_back_in_the_case_of_their_field() -> None:
    fields = {"sshObfuscatedKey": "AbCd", "providerID": "AbCd", "webServerPort": "+080"}
    assert unpack_entry(pack_entry(fields)) == {
        "sshObfuscatedKey": "abcd",
        "providerID": "ABCD",
        "webServerPort": "80",
    }


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("webServerSecret", "zz", "not hexadecimal"),
        ("webServerSecret", "0 0", "not hexadecimal"),
        ("webServerSecret", "00 ", "not hexadecimal"),
        ("providerID", "abc", "not hexadecimal"),
        ("providerID", 5, "not a text"),
        ("tag", None, "not a text"),
        ("tag", "T", "base64"),
        ("tag", "AAA", "padding"),
        ("signature", "AA\nAA", "base64"),
        ("inproxySessionPublicKey", "AAA=", "padded"),
        ("inproxySessionPublicKey", "A", "base64"),
        ("webServerPort", "", "not a whole number"),
        ("webServerPort", "1.0", "not a whole number"),
        ("webServerPort", "1_0", "not a whole number"),
        ("webServerPort", "\u0661", "not a whole number"),
        ("webServerPort", "9" * 19, "not a whole number"),
        ("sshPort", float("nan"), "not a finite number"),
        ("sshPort", float("inf"), "not a finite number"),
        ("sshPort", 10**400, "too large"),
        ("sshPort", b"22", "bytes is no JSON"),
        ("x", (1,), "tuple is no JSON"),
        ("x", {5: 1}, "not a text"),
        ("x", [[[[[[1]]]]]], "nested too deeply"),
        ("x", "\ud800", "surrogates not allowed"),
        ("x", {"\ud800": 1}, "surrogates not allowed"),
        ("\ud800", 1, "surrogates not allowed"),
    ],
)
def test_values_that_have_no_packed_form(name: str, value: object, reason: str) -> None:
    with pytest.raises(DocumentError, match=reason):
        pack_entry({name: value})


def test_what_is_just_not_too_deep_can_be_read() -> None:
    fields = {"x": [[[[[1]]]]], "y": {"a": {"a": {"a": {"a": {"a": 1}}}}}}
    assert unpack_entry(pack_entry(fields)) == fields


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([], "not a map"),
        ("a", "not a map"),
        ({"1": {}}, "not a map of numbers"),
        ({True: {}}, "not a map of numbers"),
        ({3: {}}, "unknown part 3"),
        ({1: []}, "part that is not a map"),
        ({2: "x"}, "part that is not a map"),
        ({1: {49: "x"}}, "unknown field 49"),
        ({1: {0: "x"}}, "unknown field 0"),
        ({1: {-1: "x"}}, "unknown field -1"),
        ({1: {True: b"x"}}, "unknown field True"),
        ({1: {"tag": b"x"}}, "unknown field 'tag'"),
        ({1: {1: "x"}}, "tag as str"),
        ({1: {3: 5.0}}, "webServerPort as float"),
        ({1: {3: True}}, "webServerPort as bool"),
        ({1: {2: b"x"}}, "bytes where JSON has none"),
        ({2: {"x": [b"x"]}}, "bytes where JSON has none"),
        ({2: {"x": {5: 1}}}, "name is not a text"),
        ({2: {5: 1}}, "name is not a text"),
        ({1: {2: "x"}, 2: {"ipAddress": "y"}}, "'ipAddress' twice"),
        ({1: {1: None}}, "tag as NoneType"),
    ],
)
def test_ill_formed_ones(value: object, reason: str) -> None:
    with pytest.raises(DocumentError, match=reason):
        unpack_entry(cbor2.dumps(value))


@pytest.mark.parametrize(
    "data", [b"", b"\xa1", b"\xa0\xa0", b"\xbf\xff", b"\x9f" * 100, b"\xfb", b"\xc0\x00"]
)
def test_what_is_not_cbor(data: bytes) -> None:
    with pytest.raises(DocumentError, match=r"^packed server entry: "):
        unpack_entry(data)


def test_integers_are_numbers_too() -> None:
    assert unpack_entry(cbor2.dumps({1: {6: 22, 10: 2**63}})) == {"sshPort": 22, "sshObfuscatedPort": 2.0**63}
    assert unpack_entry(cbor2.dumps({1: {3: -5}})) == {"webServerPort": "-5"}
