"""Lists of entries; both readers are compared in tests/vectors."""

import pytest

from headrace.base.errors import DocumentError
from headrace.documents.server_list import MAX_LINE, encode_list, read_list, stream_list

STAMP = "2024-01-02T03:04:05Z"
ENTRIES: list[dict[str, object]] = [{"ipAddress": "192.0.2.1", "x": 1}, {"ipAddress": "2001:db8::1"}]


def test_round_trip() -> None:
    text = encode_list(ENTRIES)
    local = {"localSource": "REMOTE", "localTimestamp": STAMP}
    expected = [entry | local for entry in ENTRIES]
    assert read_list(text, "REMOTE", STAMP) == expected
    assert list(stream_list(text.splitlines(keepends=True), "REMOTE", STAMP)) == expected
    assert read_list("", "REMOTE", STAMP) == []


def test_an_invalid_entry_is_skipped() -> None:
    text = encode_list([{"ipAddress": "nowhere"}, *ENTRIES])
    assert len(read_list(text, "REMOTE", STAMP)) == len(list(stream_list(text.split(), "REMOTE", STAMP))) == 2


def test_an_undecodable_line_is_named() -> None:
    text = encode_list(ENTRIES) + "\nxx"
    with pytest.raises(DocumentError, match=r"^line 3: server entry line is not hexadecimal at character 1$"):
        read_list(text, "REMOTE", STAMP)
    with pytest.raises(DocumentError, match=r"^line 1: longer than 65535 characters$"):
        next(stream_list(["0" * (MAX_LINE + 1)], "REMOTE", STAMP))


def test_no_list_is_written_that_readers_refuse() -> None:
    with pytest.raises(DocumentError, match="server entry 2 is too long"):
        encode_list([{}, {"padding": "x" * 40_000}])
