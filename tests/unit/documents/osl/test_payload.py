"""The payload of a paver."""

import pytest

from headrace.base.errors import DocumentError
from headrace.documents.osl.payload import read_payload


def test_entries_by_list() -> None:
    text = b"""[
        {"ServerEntry": "one", "OSLIDs": ["aa", "BB"]},
        {"ServerEntry": "two", "OSLIDs": ["bb"], "more": 1},
        {"ServerEntry": "three", "OSLIDs": []}
    ]"""
    assert read_payload(text) == {"aa": ["one"], "bb": ["one", "two"]}
    assert read_payload(b"[]") == {}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "not JSON"),
        (b"{}", "expected a list, got an object"),
        (b"[3]", r"\[0\]: expected an object"),
        (b'[{"ServerEntry": "one"}]', "missing required field OSLIDs"),
        (b'[{"ServerEntry": 1, "OSLIDs": []}]', r"\[0\].ServerEntry: expected text"),
        (b'["\xff"]', ""),
        (b'[{"x":' + b"[" * 100_000, "not JSON"),
    ],
)
def test_mistakes(text: bytes, problem: str) -> None:
    with pytest.raises(DocumentError, match=f"^payload.json: .*{problem}"):
        read_payload(text, "payload.json")
