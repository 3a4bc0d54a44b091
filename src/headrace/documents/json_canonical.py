"""JSON as signed server entries have it (server lists spec §1.7).

Reading is lenient where the network's reader is: bad UTF-8 and unpaired surrogates become U+FFFD, and of
duplicate keys the last wins, taking its place in the order too. Writing is exact: sorted keys, fixed
escapes, every number as the shortest decimal of a double.
"""

import codecs
import json
import math
import re
from typing import NoReturn

from headrace.base.errors import DocumentError

__all__ = ["decode_json", "encode_canonical"]

_MAX_DEPTH = 64
_EXACT_DIGITS = 15  # integers this long are exact in a double too

_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}
_ESCAPES |= {code: f"\\u{code:04x}" for code in range(0x20)}
_ESCAPES |= str.maketrans(
    {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
)
_SURROGATE = re.compile("[\ud800-\udfff]")


def decode_json(data: bytes) -> object:
    """Return the value that `data` holds. Raises DocumentError."""
    try:
        value = json.loads(
            data.decode("utf-8", "headrace-replace-each"),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_double,
            parse_constant=_no_constant,
        )
    except json.JSONDecodeError as error:
        raise DocumentError(f"not JSON: {error.msg} at line {error.lineno} column {error.colno}") from error
    except RecursionError as error:
        raise DocumentError("JSON nested too deeply") from error
    if b"\\u" not in data and data.count(b"{") + data.count(b"[") < _MAX_DEPTH:
        return value  # the common case: nothing to replace, no depth to speak of
    return _normal(value, _MAX_DEPTH)


def encode_canonical(value: object) -> bytes:
    """Return `value`, made of what `decode_json` returns, in canonical form. Raises DocumentError."""
    return _text(value, _MAX_DEPTH).encode("utf-8", "replace")


def _text(value: object, left: int) -> str:
    if not left:
        raise DocumentError("JSON nested too deeply")
    match value:
        case None:
            return "null"
        case True:
            return "true"
        case False:
            return "false"
        case str():
            return _string(value)
        case int() | float():
            return _number(value)
        case list() | tuple():
            return "[" + ",".join(_text(item, left - 1) for item in value) + "]"
        case dict():
            # Sorting by code point is sorting by UTF-8 bytes.
            members = (f"{_string(key)}:{_text(value[key], left - 1)}" for key in sorted(value))
            return "{" + ",".join(members) + "}"
    raise DocumentError(f"{type(value).__name__} has no JSON form")


def _string(text: str) -> str:
    return '"' + text.translate(_ESCAPES) + '"'


def _number(value: float) -> str:
    try:
        number = float(value)
    except OverflowError as error:
        raise DocumentError("number too large for JSON") from error
    if not math.isfinite(number):
        raise DocumentError("number without a JSON form")
    sign = "-" if math.copysign(1, number) < 0 else ""
    if number == 0:
        return sign + "0"
    # repr gives the shortest digits; the value is 0.<significant> × 10^point.
    mantissa, _, exponent = repr(abs(number)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    significant = (whole + fraction).lstrip("0")
    point = len(significant) - len(fraction) + int(exponent or 0)
    significant = significant.rstrip("0")
    if not 1e-6 <= abs(number) < 1e21:
        fraction = "." + significant[1:] if len(significant) > 1 else ""
        return f"{sign}{significant[0]}{fraction}e{point - 1:+d}"
    if point <= 0:
        return f"{sign}0.{'0' * -point}{significant}"
    if point >= len(significant):
        return sign + significant + "0" * (point - len(significant))
    return f"{sign}{significant[:point]}.{significant[point:]}"


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members: dict[str, object] = {}
    for name, value in pairs:
        members.pop(name, None)
        members[name] = value
    return members


def _integer(text: str) -> int | float:
    exact = len(text) <= _EXACT_DIGITS and text != "-0"
    return int(text) if exact else _double(text)


def _double(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise DocumentError("not JSON as the network reads it: number out of range")
    return number


def _no_constant(text: str) -> NoReturn:
    raise DocumentError(f"not JSON: {text}")


def _normal(value: object, left: int) -> object:
    """Replace unpaired surrogates and insist on a bounded depth."""
    if not left:
        raise DocumentError("JSON nested too deeply")
    if isinstance(value, str):
        return value if value.isascii() else _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_normal(item, left - 1) for item in value]
    if isinstance(value, dict):
        return {str(_normal(name, left)): _normal(item, left - 1) for name, item in value.items()}
    return value


def _replace_each_byte(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "\ufffd" * (error.end - error.start), error.end


codecs.register_error("headrace-replace-each", _replace_each_byte)
