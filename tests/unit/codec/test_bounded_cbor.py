"""CBOR that a library would swallow and we do not."""

import pytest

from headrace.base.errors import RemoteProtocolError
from headrace.codec.bounded_cbor import decode, encode


@pytest.mark.parametrize(
    "value",
    [
        0,
        23,
        24,
        -1,
        2**64 - 1,
        -(2**63),
        True,
        False,
        None,
        "text",
        b"bytes",
        [],
        {},
        [1, [2]],
        {1: {"a": b""}},
        1.5,
    ],
)
def test_round_trip(value: object) -> None:
    assert decode(encode(value)) == value


def test_writes_canonically() -> None:
    assert encode({24: 0, 1: 1, "a": 2}) == bytes.fromhex("a3 01 01 18 18 00 61 61 02")


@pytest.mark.parametrize("float_bytes", ["f93e00", "fa3fc00000", "fb3ff8000000000000"])
def test_floats_of_every_width(float_bytes: str) -> None:
    assert decode(bytes.fromhex(float_bytes)) == 1.5


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("", "cut short"),
        ("19 01", "cut short"),
        ("62 61", "cut short"),
        ("82 01", "cut short"),
        ("01 02", "bytes after"),
        ("5f 41 61 ff", "not accepted"),  # indefinite length
        ("9f 01 ff", "not accepted"),
        ("c0 60", "not accepted"),  # tag: date
        ("c2 41 01", "not accepted"),  # tag: big number
        ("d8 23 61 2e", "not accepted"),  # tag: regular expression
        ("f7", "not accepted"),  # undefined
        ("f8 ff", "not accepted"),  # simple value
        ("1c", "not accepted"),  # reserved length
        ("9b ffffffffffffffff", "too deep"),  # a list of 2**64 values
        ("bb 7fffffffffffffff", "too deep"),
        ("5b ffffffffffffffff", "too deep"),
        ("81" * 8 + "01", "too deep"),
        ("f9 7e00", "not finite"),  # NaN
        ("fb 7ff0000000000000", "not finite"),
        ("81 f9 fc00", "not finite"),
        ("a2 01 01 01 02", "duplicate"),
        ("a2 61 61 01 61 61 02", "duplicate"),
        ("a2 01 01 f5 02", "duplicate"),  # 1 and true are one key to Python
        ("81 a2 01 01 01 02", "duplicate"),
        ("61 ff", "CBOR"),  # text that is not UTF-8
        ("a1 80 01", "CBOR"),  # a list as a key
        ("a1 a0 01", "CBOR"),
    ],
)
def test_refused(data: str, reason: str) -> None:
    with pytest.raises(RemoteProtocolError, match=reason):
        decode(bytes.fromhex(data))


def test_depth_and_size_at_their_limits() -> None:
    assert decode(bytes.fromhex("81" * 7 + "01")) == [[[[[[[1]]]]]]]
    with pytest.raises(RemoteProtocolError, match="too long"):
        decode(encode([0] * 20_000))
    with pytest.raises(RemoteProtocolError, match="bytes"):
        decode(encode(bytes(256 * 1024)))
