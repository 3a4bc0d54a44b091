"""Prefix specs of configuration files."""

import pytest

from headrace.base.errors import DocumentError
from headrace.documents.prefix_specs import read_prefix_specs


def test_specs() -> None:
    assert read_prefix_specs({"a": [("", "x+")], "b": [("", "y")]}, "f", "Field") == {"a": "x+", "b": "y"}


@pytest.mark.parametrize("pairs", [[], [("", "x"), ("", "y")]])
def test_exactly_one_expression(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(DocumentError, match=f"^f: Field: spec a has {len(pairs)} pairs: write exactly one"):
        read_prefix_specs({"a": pairs}, "f", "Field")
