"""SLOKs and the periods they are for. Known ones are in tests/vectors/test_osl.py."""

import hashlib
import hmac

import pytest

from headrace.documents.osl.sloks import derive_slok, expand, le64, nanoseconds, period_start

SECOND = 1_000_000_000


def test_every_input_matters() -> None:
    ids = {
        derive_slok(bytes(32), "A", bytes(32), 0).id,
        derive_slok(bytes(31) + b"1", "A", bytes(32), 0).id,
        derive_slok(bytes(32), "B", bytes(32), 0).id,
        derive_slok(bytes(32), "A", bytes(31) + b"1", 0).id,
        derive_slok(bytes(32), "A", bytes(32), 1).id,
    }
    assert len(ids) == 5


def test_the_id_follows_from_the_key_and_not_the_other_way_round() -> None:
    slok = derive_slok(b"m" * 32, "A", bytes(32), 7)
    assert slok.id == expand(b"m" * 32, slok.key)
    assert slok.key == hmac.digest(b"m" * 32, b"A" + bytes(32) + le64(7) + b"\x01", hashlib.sha256)


@pytest.mark.parametrize(
    ("number", "encoded"), [(1, "0100000000000000"), (-1, "ffffffffffffffff"), (2**64, "00" * 8)]
)
def test_numbers_take_8_bytes(number: int, encoded: str) -> None:
    assert le64(number).hex() == encoded


def test_weeks_begin_on_mondays() -> None:
    week = 7 * 86_400 * SECOND
    monday = nanoseconds("2024-06-03T00:00:00Z")
    for time in ("2024-06-03T00:00:00Z", "2024-06-09T23:59:59.999999999Z"):
        assert period_start(nanoseconds(time), week) == monday


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:01.5Z", 1_500_000_000),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("1970-01-01T00:00:00.0000000019Z", 1),  # what is finer is cut off
        ("1969-12-31T23:59:59.25Z", -750_000_000),
    ],
)
def test_times(text: str, expected: int) -> None:
    assert nanoseconds(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1970-01-01",
        "1970-01-01T00:00:00",
        "1970-01-01T00:00:00z",
        "1970-01-01 00:00:00Z",
        "1970-02-30T00:00:00Z",
        "1970-01-01T00:00:00+00:00",
        "1970-01-01T00:00:00.Z",
        "1970-01-01T24:61:00Z",
        "٢٠٢٤-01-01T00:00:00Z",
    ],
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no time"):
        nanoseconds(text)


def test_repr_keeps_the_secret() -> None:
    assert repr(derive_slok(bytes(32), "A", bytes(32), 0)._replace(id=b"\x0f\xa0")) == "Slok(id=0fa0)"
