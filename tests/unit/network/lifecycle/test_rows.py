"""A line is a row, or an error that names the line; nothing else comes of it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import inspect

from headrace.base.errors import OperatorError
from headrace.network.lifecycle.rows import KINDS, NAMES, read_row

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.just("192.0.2.1"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
FIELDS = sorted(
    {name for kind in KINDS.values() for name in inspect(kind).columns.keys()} | {"host", "secrets"}
)


def check(text: bytes, sealed: bool) -> None:
    try:
        row = read_row(7, text, sealed=sealed)
    except OperatorError as error:
        assert str(error).startswith("line 7: ")
    else:
        assert row.kind in KINDS and row.problem("x") == "line 7: x"


@given(st.binary(), st.booleans())
def test_any_bytes_are_a_row_or_an_error(text: bytes, sealed: bool) -> None:
    check(text, sealed)


@given(
    st.sampled_from(sorted(KINDS)),
    st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4),
    st.booleans(),
)
def test_any_values_are_a_row_or_an_error(kind: str, values: dict[str, Any], sealed: bool) -> None:
    check(json.dumps({"kind": kind, **values}).encode(), sealed)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"new_osl": 1 << 40}, "too large a number"),
        ({"name": "two\nlines"}, "one line of text"),
        ({"name": None}, "name: Expected `str`"),
        ({"mechanisms": [1]}, "mechanisms: Expected `str`"),
        ({"configuration_version": 1}, "has no 'configuration_version'"),
    ],
)
def test_what_no_database_takes_is_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(OperatorError, match="line 3: ") as caught:
        read_row(3, json.dumps({"kind": "channel", **values}).encode(), sealed=False)
    assert said in str(caught.value)


def test_a_regular_expression_that_is_too_large_is_refused() -> None:
    rules = [{"regex": "a{99999999999999999999}", "replace": "x"}]
    text = json.dumps({"kind": "sponsor", "name": "x", "page_view_rules": rules}).encode()
    with pytest.raises(OperatorError, match="page_view_rules: "):
        read_row(1, text, sealed=False)


def test_json_that_is_nested_without_end_is_refused() -> None:
    with pytest.raises(OperatorError, match="line 1: "):
        read_row(1, b'{"kind":' + b"[" * 100_000, sealed=False)


def test_a_row_knows_its_name() -> None:
    for kind, column in NAMES.items():
        text = json.dumps({"kind": kind, column: "abc"}).encode()
        assert read_row(1, text, sealed=False).name == "abc"
        assert read_row(1, json.dumps({"kind": kind}).encode(), sealed=False).name == ""


@pytest.mark.parametrize(
    ("kind", "values", "said"),
    [
        ("host", {"name": "../machine"}, "no name of a host"),
        ("channel", {"name": "a/b", "public_id": "0011223344556677"}, ""),
        (
            "channel",
            {"name": "x", "public_id": "00112233aabbccdd"},
            "public_id: '00112233aabbccdd' is not 16",
        ),
        ("provider", {"name": "x", "published_id": "acme"}, "published_id: 'acme' is not 16"),
        ("server", {"pseudonym": "a/b"}, "pseudonym: 'a/b' is not words"),
    ],
)
def test_names_and_ids_are_ones_that_others_can_carry(kind: str, values: dict[str, Any], said: str) -> None:
    text = json.dumps({"kind": kind, **values}).encode()
    if not said:
        assert read_row(1, text, sealed=False).name == values["name"]
        return
    with pytest.raises(OperatorError, match="line 1: ") as caught:
        read_row(1, text, sealed=False)
    assert said in str(caught.value)
