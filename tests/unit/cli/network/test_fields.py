"""What is given on a command line to be set."""

from pathlib import Path

import click
import pytest

from headrace.base.errors import OperatorError
from headrace.cli.network.fields import given, ip_address, read_text, rules, words


def test_words_are_those_between_commas_each_once() -> None:
    assert words(" fa, en,,fa ") == ["fa", "en"]
    assert words("") == []


def test_what_was_not_given_is_left_out_but_nothing_else() -> None:
    assert given(a=None, b=0, c="", d=[]) == {"b": 0, "c": "", "d": []}


def test_an_address_is_written_as_usual_or_empty() -> None:
    assert ip_address("2001:DB8:0::1") == "2001:db8::1"
    assert ip_address("") == ""
    with pytest.raises(click.BadParameter, match="'example' is not an IP address"):
        ip_address("example")


def test_the_end_of_a_line_is_no_part_of_a_text(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"one\ntwo\r\n")
    assert read_text(str(tmp_path / "text")) == "one\ntwo"
    (tmp_path / "text").write_bytes(b"\xff")
    with pytest.raises(OperatorError, match="is not text"):
        read_text(str(tmp_path / "text"))
    with pytest.raises(OperatorError, match=r"the key .* does not exist"):
        read_text(str(tmp_path / "nothing"), "the key")


def test_without_a_file_there_are_no_rules() -> None:
    assert rules(None) is None
