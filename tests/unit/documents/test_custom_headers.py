"""Headers of the user's own for HTTP upstream proxies: what may be written, and what may not."""

import pytest

from headrace.base.errors import DocumentError
from headrace.documents.custom_headers import read_custom_headers

SECRET = "hunter2"


def test_names_and_values_in_order() -> None:
    fields = {"X-Plan": [" free ", "best"], "Host": ["allowed.example"], "X-Empty": [""], "X-None": []}
    assert read_custom_headers(fields) == (
        ("X-Plan", "free"),
        ("X-Plan", "best"),
        ("Host", "allowed.example"),
        ("X-Empty", ""),
    )
    assert read_custom_headers({}) == ()


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"": ["x"]}, "header name"),
        ({f"X {SECRET}": ["x"]}, "header name"),
        ({"X:": ["x"]}, "header name"),
        ({"Größe": ["x"]}, "header name"),
        ({"X": [f"a\r\nY: {SECRET}"]}, "a value of X with a control character"),
        ({"X": [f"{SECRET}\0b"]}, "control character"),
        ({"Content-Length": [SECRET]}, "has Content-Length"),
        ({"transfer-encoding": [SECRET]}, "has transfer-encoding"),
        ({"Host": ["a"], "host": [SECRET]}, "several values of Host"),
    ],
)
def test_what_may_not(fields: dict[str, list[str]], problem: str) -> None:
    with pytest.raises(DocumentError, match=problem) as caught:
        read_custom_headers(fields)
    assert SECRET not in str(caught.value)
