"""Canonical JSON; whole signed entries are checked in tests/vectors."""

import pytest

from headrace.base.errors import DocumentError
from headrace.documents.json_canonical import decode_json, encode_canonical


@pytest.mark.parametrize(
    ("data", "canonical"),
    [
        (b' { "b" : [ 1 , { } ] , "a" : null } ', b'{"a":null,"b":[1,{}]}'),
        (b'{"a":1,"a":2}', b'{"a":2}'),
        (b"[true,false,[]]", b"[true,false,[]]"),
        (
            '{"\u00e9":1,"z":2,"\U0001f600":3,"\uffff":4}'.encode(),
            '{"z":2,"\u00e9":1,"\uffff":4,"\U0001f600":3}'.encode(),
        ),
        (rb'"\u0000\u001f\u007f\b\f\n\r\t\"\\\/"', b'"\\u0000\\u001f\x7f\\b\\f\\n\\r\\t\\"\\\\/"'),
        (b'"<a href>&"', rb'"\u003ca href\u003e\u0026"'),
        (b'"\xe2\x80\xa8\xe2\x80\xa9"', rb'"\u2028\u2029"'),
        (rb'"\ud83d\ude00"', '"\U0001f600"'.encode()),
        (rb'"\ud83d x \ude00"', b'"\xef\xbf\xbd x \xef\xbf\xbd"'),
        (b'"\xff\xe2\x82"', b'"' + b"\xef\xbf\xbd" * 3 + b'"'),
        (rb'{"\ud800":1}', b'{"\xef\xbf\xbd":1}'),
    ],
)
def test_text(data: bytes, canonical: bytes) -> None:
    assert encode_canonical(decode_json(data)) == canonical


@pytest.mark.parametrize(
    ("number", "canonical"),
    [
        ("0", "0"),
        ("-0", "-0"),
        ("-0.0", "-0"),
        ("1.0", "1"),
        ("-12.50", "-12.5"),
        ("123456789012345", "123456789012345"),
        ("123456789012345678", "123456789012345680"),
        ("9007199254740993", "9007199254740992"),
        ("1e20", "100000000000000000000"),
        ("999999999999999999999", "1e+21"),
        ("1e21", "1e+21"),
        ("-1.5e300", "-1.5e+300"),
        ("0.000001", "0.000001"),
        ("0.0000012", "0.0000012"),
        ("9.99e-7", "9.99e-7"),
        ("5e-324", "5e-324"),
        ("0.1", "0.1"),
        ("100.25", "100.25"),
    ],
)
def test_numbers(number: str, canonical: str) -> None:
    assert encode_canonical(decode_json(number.encode())) == canonical.encode()


def test_the_last_of_equal_names_takes_the_last_place() -> None:
    fields = decode_json(b'{"a":1,"A":2,"a":3}')
    assert fields == {"A": 2, "a": 3}
    assert list(fields) == ["A", "a"] if isinstance(fields, dict) else False


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"nul",
        b"NaN",
        b"-Infinity",
        b"1e400",
        b"9" * 400,
        b'"\n"',
        b"[" * 100 + b"]" * 100,
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"\xef\xbb\xbf{}",
    ],
)
def test_garbage(data: bytes) -> None:
    with pytest.raises(DocumentError, match="JSON"):
        decode_json(data)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400, b"bytes", {1, 2}, [[object()]]])
def test_values_without_a_form(value: object) -> None:
    with pytest.raises(DocumentError, match="JSON"):
        encode_canonical(value)


def test_too_deep_to_write() -> None:
    value: object = 0
    for _ in range(100):
        value = [value]
    with pytest.raises(DocumentError, match="too deeply"):
        encode_canonical(value)
