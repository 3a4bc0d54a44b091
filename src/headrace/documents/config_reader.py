"""What the JSON configuration files have in common.

Field names match without regard to case, null counts as absent, unknown fields are collected rather than
refused; types are checked, and a mistake is reported with the file, the field, what is wrong and what to
write instead.
"""

import functools
import re
import typing
from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec

from headrace.base.errors import DocumentError
from headrace.documents.json_canonical import decode_json

__all__ = ["convert_config", "explain", "field_names", "fold", "fold_deep", "fold_name", "read_object"]

T = TypeVar("T")

_FOLDED_LETTERS = str.maketrans({"\u017f": "s", "\u212a": "k"})  # long s and Kelvin sign fold into ASCII
_TYPE_ERROR = re.compile(r"Expected `(?P<wanted>.*)`, got `(?P<got>.*)`")
_PATH = re.compile(r"^(?P<problem>.*) - at `\$(?P<path>.*)`$", re.DOTALL)
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_REMEDIES = {
    ("int", "str"): "write it without quotes",
    ("float", "str"): "write it without quotes",
    ("bool", "str"): "write it without quotes",
    ("str", "int"): "put it in quotes",
    ("str", "float"): "put it in quotes",
    ("array", "str"): "put it in square brackets",
    ("int", "float"): "write it without a decimal point",
}


def fold_name(name: str) -> str:
    """Return `name` in the form in which names are compared."""
    return name.translate(_FOLDED_LETTERS).lower()


def fold(fields: Mapping[str, object], names: Iterable[str]) -> tuple[dict[str, object], dict[str, object]]:
    """Return known fields under their official names, and the others as they are.

    Nulls are dropped; of several spellings of a name the last one wins.
    """
    official = _official_names(tuple(names))
    known: dict[str, object] = {}
    unknown: dict[str, object] = {}
    for name, value in fields.items():
        match = official.get(fold_name(name))
        if match is None:
            unknown[name] = value
        elif value is not None:
            known[match] = value
    return known, unknown


@functools.cache
def _official_names(names: tuple[str, ...]) -> dict[str, str]:
    return {fold_name(name): name for name in names}


def fold_deep(value: object, kind: object, path: str = "") -> tuple[object, list[str]]:
    """Return `value` with official names wherever `kind` has a Struct, and the paths of unknown fields."""
    if isinstance(value, list):
        (inner,) = typing.get_args(kind)[:1] or (object,)
        folded = [fold_deep(item, inner, f"{path}[{index}]") for index, item in enumerate(value)]
        return [item for item, _ in folded], [name for _, unknown in folded for name in unknown]
    if not isinstance(value, dict):
        return value, []
    options = (kind, *typing.get_args(kind))
    mapping = next((option for option in options if typing.get_origin(option) is dict), None)
    if mapping is not None:
        inner = typing.get_args(mapping)[1]
        members = {name: fold_deep(item, inner, f"{path}.{name}") for name, item in value.items()}
        paths = [name for _, unknown in members.values() for name in unknown]
        return {name: item for name, (item, _) in members.items()}, paths
    struct = next((option for option in options if _is_struct(option)), None)
    if struct is None:
        return value, []
    types = {field.encode_name: field.type for field in msgspec.structs.fields(struct)}
    known, others = fold(value, types)
    unknown_paths = [f"{path}.{name}".lstrip(".") for name in others]
    for name, inner_value in known.items():
        known[name], unknown = fold_deep(inner_value, types[name], f"{path}.{name}".lstrip("."))
        unknown_paths += unknown
    return known, unknown_paths


def field_names(kind: object) -> frozenset[str]:
    """Return the names of all fields of a Struct and of those inside it."""
    names: set[str] = set()
    if _is_struct(kind):
        for field in msgspec.structs.fields(kind):
            names |= {field.encode_name} | field_names(field.type)
    for option in typing.get_args(kind):
        names |= field_names(option)
    return frozenset(names)


def _is_struct(kind: object) -> typing.TypeGuard[type[msgspec.Struct]]:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def read_object(data: bytes, file: str) -> dict[str, object]:
    """Return the JSON object a file holds. Raises DocumentError naming `file`."""
    try:
        value = decode_json(data)
    except DocumentError as error:
        raise DocumentError(f"{file}: {error}") from error
    if not isinstance(value, dict):
        raise DocumentError(f"{file}: the file must hold one JSON object: {{ … }}")
    return value


def convert_config(known: object, kind: type[T], file: str) -> T:
    """Return `known` as a `kind`. Raises DocumentError naming `file` and the field."""
    try:
        return msgspec.convert(known, kind)
    except msgspec.ValidationError as error:
        raise DocumentError(f"{file}: {explain(error)}") from error


def explain(error: msgspec.ValidationError) -> str:
    """Return what is wrong with which field, and what to write instead."""
    text = str(error)
    path = ""
    if match := _PATH.match(text):
        text, path = match["problem"], match["path"].lstrip(".")
    if match := _TYPE_ERROR.fullmatch(text):
        wanted, got = match["wanted"].removesuffix(" | null"), match["got"]
        kinds = " or ".join(_KINDS.get(kind, kind) for kind in wanted.split(" | "))
        text = f"expected {kinds}, got {_KINDS.get(got, got)}"
        if remedy := _REMEDIES.get((wanted, got)):
            text += f": {remedy}"
    else:
        text = text[:1].lower() + text[1:].replace("`", "")
    return f"{path}: {text}" if path else text
