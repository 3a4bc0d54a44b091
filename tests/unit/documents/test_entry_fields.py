"""Server entries as mappings; most of it is checked in tests/vectors."""

import pytest

from headrace.base.errors import DocumentError
from headrace.documents.entry_fields import (
    configuration_version,
    decode_fields,
    derived_tag,
    diagnostic_id,
    encode_fields,
    entry_tag,
    validate_fields,
)

LINE = b'0 0 0 0 {"ipAddress":"192.0.2.1","webServerSecret":"s"}'.hex()
VALID: dict[str, object] = {
    "ipAddress": "2001:db8::1",
    "localSource": "EMBEDDED",
    "localTimestamp": "2024-01-02T03:04:05Z",
}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("", "server entry line is empty"),
        (LINE[:16] + "x" + LINE[17:], "server entry line is not hexadecimal at character 17"),
        (" " + LINE, "not hexadecimal at character 1"),
        (LINE + "\n", f"not hexadecimal at character {len(LINE) + 1}"),
        (LINE[:-1], "cut short"),
        (b"0 0 0 {}".hex(), "4 of 5 parts"),
        (b"0 0 0 0 [1]".hex(), "not an object"),
        (b"0 0 0 0 {".hex(), "not JSON: .* at line 1 column 2"),
    ],
)
def test_undecodable_lines_say_where(line: str, problem: str) -> None:
    with pytest.raises(DocumentError, match=problem):
        decode_fields(line)


def test_everything_after_the_fourth_space_is_json() -> None:
    assert decode_fields(b'a b c d { "x" : "1 2" } '.hex().upper()) == {"x": "1 2"}


def test_supplied_local_fields_win() -> None:
    fields = decode_fields(LINE, "REMOTE", "2024-01-02T03:04:05Z")
    assert fields["localSource"] == "REMOTE"
    assert fields["localTimestamp"] == "2024-01-02T03:04:05Z"
    assert "localSource" not in decode_fields(LINE)


def test_unknown_fields_survive() -> None:
    fields = {"zz": {"deep": [1, None]}, "ipAddress": "192.0.2.1"}
    assert decode_fields(encode_fields(fields)) == fields


def test_a_certificate_brings_the_legacy_prefix() -> None:
    fields = {"ipAddress": "192.0.2.1", "webServerPort": "8080", "webServerCertificate": "cert"}
    line = bytes.fromhex(encode_fields(fields))
    assert line.startswith(b"192.0.2.1 8080  cert {")
    assert bytes.fromhex(encode_fields({})) == b"0 0 0 0 {}"


def test_a_space_in_the_legacy_prefix_would_break_the_line() -> None:
    fields = {"ipAddress": "192.0.2.1", "webServerSecret": "a b", "webServerCertificate": "cert"}
    assert decode_fields(encode_fields(fields)) == fields


@pytest.mark.parametrize(
    "change",
    [
        {"localSource": "DSL-x"},
        {"localSource": "PUSH-"},
        {"localTimestamp": "2024-01-02T03:04:05.123456789+05:30"},
        {"ipAddress": "192.0.2.1"},
    ],
)
def test_valid(change: dict[str, object]) -> None:
    validate_fields(VALID | change)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"ipAddress": "fe80::1%eth0"}, "ipAddress"),
        ({"ipAddress": "192.0.02.1"}, "ipAddress"),
        ({"ipAddress": 5}, "ipAddress"),
        ({"localSource": "embedded"}, "localSource"),
        ({"localSource": ""}, "localSource"),
        ({"localTimestamp": "2024-01-02 03:04:05Z"}, "localTimestamp"),
        ({"localTimestamp": "2024-13-02T03:04:05Z"}, "localTimestamp"),
    ],
)
def test_invalid(change: dict[str, object], problem: str) -> None:
    with pytest.raises(DocumentError, match=problem):
        validate_fields(VALID | change)


def test_own_tag_before_derived_tag() -> None:
    fields: dict[str, object] = {"ipAddress": "192.0.2.1", "webServerSecret": "s"}
    assert entry_tag(fields) == derived_tag(fields)
    assert len(derived_tag(fields)) == 44
    assert entry_tag(fields | {"tag": "own"}) == "own"
    assert diagnostic_id("12345678901") == "12345678"
    assert diagnostic_id("1234567") == "<unknown>"


@pytest.mark.parametrize(
    ("value", "version"), [(3, 3), (3.9, 3), (-1, 0), ("4", 0), (True, 0), (None, 0), ([], 0)]
)
def test_configuration_version(value: object, version: int) -> None:
    assert configuration_version({"configurationVersion": value}) == version
