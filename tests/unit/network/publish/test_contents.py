"""Parts of contents: when they differ, and what people are told of it."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.network.publish.contents import (
    Parts,
    count_and_fingerprint,
    day,
    differences,
    fingerprint,
)

PARTS = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=5)


@given(PARTS, PARTS)
def test_digests_are_the_same_where_there_is_no_difference(
    one: dict[str, str], other: dict[str, str]
) -> None:
    assert (Parts(one).digest == Parts(other).digest) == (not list(differences(one, other)))


@given(PARTS)
def test_the_order_of_parts_is_of_no_account(parts: dict[str, str]) -> None:
    assert Parts(parts).digest == Parts(dict(reversed(parts.items()))).digest


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (None, "1", "server a b c: new"),
        ("1", None, "server a b c: no more"),
        ("version 3 #12", "version 4 #34", "server a b c: version 3 → version 4"),
        ("active #12", "active #34", "server a b c: changed"),
        ("#12", "#34", "server a b c: changed"),
        ("4,998 #12", "4,997 #34", "server a b c: 4,998 → 4,997"),
        ("", "3", "server a b c: something → 3"),
    ],
)
def test_differences_are_told_to_people(before: str | None, now: str | None, told: str) -> None:
    name = "server a b c"
    found = differences(
        {} if before is None else {name: before, "same": "1"}, {} if now is None else {name: now, "same": "1"}
    )
    assert (name, told) in found


def test_a_new_day_is_told_as_such() -> None:
    evening, morning = datetime(2026, 1, 1, 23, 59, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    assert list(differences({"day": day(evening)}, {"day": day(morning)})) == [("day", "a new day")]


def test_fingerprints_tell_values_and_their_order_apart() -> None:
    assert fingerprint(1, "a") == fingerprint(1, "a")
    assert len({fingerprint(1, "a"), fingerprint("a", 1), fingerprint("1", "a"), fingerprint()}) == 4
    assert count_and_fingerprint(["a"] * 1234).startswith("1,234 #")
