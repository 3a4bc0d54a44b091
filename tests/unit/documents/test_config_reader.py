"""What the configuration files have in common."""

import enum

import msgspec
import pytest

from headrace.base.errors import DocumentError
from headrace.documents.config_reader import (
    convert_config,
    field_names,
    fold,
    fold_deep,
    fold_name,
    read_object,
)


class Color(enum.Enum):
    RED = "red"


class Inner(msgspec.Struct, rename="pascal"):
    some_number: float = 0.0


class Outer(msgspec.Struct, rename="pascal"):
    one: Inner | None = None
    many: list[Inner] = []
    free: dict[str, list[int]] = {}
    choice: list[int | list[int]] = []
    named: dict[str, Inner | None] = {}
    grouped: dict[str, list[Inner] | None] = {}


def test_names_fold_as_the_network_folds_them() -> None:
    assert fold_name("SSHPort") == fold_name("sshport") == "sshport"
    assert fold_name("\u017fshPort") == "sshport"
    assert fold_name("\u212aey") == "key"


def test_fold() -> None:
    known, unknown = fold({"a": 1, "A": 2, "b": None, "c": 3}, ["A", "B"])
    assert known == {"A": 2}
    assert unknown == {"c": 3}


def test_fold_deep() -> None:
    raw = {
        "ONE": {"somenumber": 1, "x": 2},
        "many": [{"Y": 1}, {"SOMENUMBER": 3}],
        "Free": {"Key": [1]},
        "Z": 0,
    }
    known, unknown = fold_deep(raw, Outer)
    assert known == {
        "One": {"SomeNumber": 1},
        "Many": [{}, {"SomeNumber": 3}],
        "Free": {"Key": [1]},
    }
    assert unknown == ["Z", "One.x", "Many[0].Y"]
    named = {"NAMED": {"a": {"SOMENUMBER": 1, "x": 2}, "A": None}, "grouped": {"b": [{"Y": 3}], "c": 5}}
    known, unknown = fold_deep(named, Outer)
    assert known == {"Named": {"a": {"SomeNumber": 1}, "A": None}, "Grouped": {"b": [{}], "c": 5}}
    assert unknown == ["Named.a.x", "Grouped.b[0].Y"]
    assert fold_deep({"One": 5, "Choice": [1, [2]]}, Outer) == ({"One": 5, "Choice": [1, [2]]}, [])


@pytest.mark.parametrize(
    ("data", "problem"),
    [(b"", "^file.config: not JSON"), (b"[]", "^file.config: the file must hold one JSON object")],
)
def test_not_an_object(data: bytes, problem: str) -> None:
    with pytest.raises(DocumentError, match=problem):
        read_object(data, "file.config")


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (
            {"One": {"SomeNumber": "1"}},
            "One.SomeNumber: expected a number, got text: write it without quotes",
        ),
        ({"One": 1}, "One: expected an object, got a whole number"),
        ({"Choice": ["a"]}, r"Choice\[0\]: expected a whole number or a list, got text"),
        (5, "expected an object, got a whole number"),
    ],
)
def test_mistakes_are_explained(raw: object, problem: str) -> None:
    with pytest.raises(DocumentError, match=f"^file.config: {problem}$"):
        convert_config(raw, Outer, "file.config")


def test_other_mistakes_keep_their_text() -> None:
    with pytest.raises(DocumentError, match=r"^file: expected array of length 2, got 1$"):
        convert_config([1], tuple[int, int], "file")
    with pytest.raises(DocumentError, match=r"^file: invalid enum value 'x'$"):
        convert_config("x", Color, "file")


def test_names_of_all_fields_however_deep() -> None:
    class Inner(msgspec.Struct, rename="pascal"):
        one: int = 1

    class Outer(msgspec.Struct, rename="pascal"):
        two: dict[str, list[Inner] | None] = {}
        three: Inner | None = None

    assert field_names(Outer) == {"One", "Two", "Three"}
