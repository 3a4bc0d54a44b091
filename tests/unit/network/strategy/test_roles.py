"""Roles follow from what is set of a server, and ranges are half-open."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.network.strategy.fleet import DAY, NOW, channel, server

from headrace.network.strategy.roles import Role, discoverable, discovery_range, in_osl, osl_range, roles

CHANNEL = channel()
DISCOVERY: dict[str, Any] = {"discovery_start": NOW, "discovery_end": NOW + 7 * DAY}
OSL: dict[str, Any] = {"osl_start": NOW, "osl_end": NOW + 15 * DAY, "osl_ids": ["ab"]}
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {Role.RETAINED}),
        ({"is_permanent": True}, {Role.PERMANENT}),
        ({"is_embedded": True}, {Role.PROPAGATION}),
        ({"is_permanent": True, "is_embedded": True}, {Role.PERMANENT, Role.PROPAGATION}),
        (DISCOVERY, {Role.DISCOVERY}),
        ({"is_embedded": True, **DISCOVERY}, {Role.DISCOVERY}),
        ({"is_embedded": True, **OSL}, {Role.OSL}),
        ({**DISCOVERY, **OSL, "is_permanent": True}, {Role.PERMANENT, Role.DISCOVERY, Role.OSL}),
        ({**OSL, "osl_ids": []}, {Role.RETAINED}),
        ({"osl_ids": ["ab"]}, {Role.RETAINED}),
    ],
)
def test_roles_are_those_of_the_table(fields: dict[str, Any], expected: set[Role]) -> None:
    assert roles(server(CHANNEL, **fields)) == expected


def test_a_role_does_not_end_with_its_range() -> None:
    over = server(CHANNEL, discovery_start=NOW - 8 * DAY, discovery_end=NOW - DAY)
    assert roles(over) == {Role.DISCOVERY}
    assert not discoverable(over, NOW)


def test_ranges_hold_their_start_and_not_their_end() -> None:
    both = server(CHANNEL, **DISCOVERY, **OSL)
    moment = timedelta(microseconds=1)
    for is_open, end in ((discoverable, NOW + 7 * DAY), (in_osl, NOW + 15 * DAY)):
        assert [is_open(both, at) for at in (NOW - moment, NOW, end - moment, end)] == [
            False,
            True,
            True,
            False,
        ]


def test_without_a_range_or_a_list_nothing_is_open() -> None:
    assert not discoverable(server(CHANNEL), NOW)
    assert not in_osl(server(CHANNEL), NOW)
    assert not in_osl(server(CHANNEL, **{**OSL, "osl_ids": []}), NOW)


def test_new_servers_are_told_of_for_a_week_from_the_next_midnight_on() -> None:
    assert discovery_range(NOW) == (datetime(2026, 3, 16, tzinfo=UTC), datetime(2026, 3, 23, tzinfo=UTC))
    midnight = datetime(2026, 3, 16, tzinfo=UTC)
    assert discovery_range(midnight)[0] == midnight + DAY


def test_new_servers_are_in_lists_for_fifteen_days_from_today_on() -> None:
    assert osl_range(NOW) == (datetime(2026, 3, 15, tzinfo=UTC), datetime(2026, 3, 30, tzinfo=UTC))


def test_midnight_is_that_of_utc_wherever_the_operator_is() -> None:
    east = datetime(2026, 3, 16, 1, 0, tzinfo=timezone(timedelta(hours=5)))  # still the 15th in UTC
    assert discovery_range(east)[0] == datetime(2026, 3, 16, tzinfo=UTC)
    assert osl_range(east)[0] == datetime(2026, 3, 15, tzinfo=UTC)


@given(MOMENTS)
def test_default_ranges_begin_and_end_at_midnight_whenever_they_are_made(now: datetime) -> None:
    for start, end in (discovery_range(now), osl_range(now)):
        assert (start.hour, start.minute, start.second, start.microsecond) == (0, 0, 0, 0)
        assert (end - start) % DAY == timedelta(0)
    assert timedelta(0) < discovery_range(now)[0] - now <= DAY
    assert timedelta(0) <= now - osl_range(now)[0] < DAY


@given(st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.booleans())
def test_every_server_has_a_role_and_retained_ones_have_no_other(
    permanent: bool, embedded: bool, discovery: bool, osl: bool, listed: bool
) -> None:
    fields: dict[str, Any] = {
        "is_permanent": permanent,
        "is_embedded": embedded,
        **(DISCOVERY if discovery else {}),
        **(OSL if osl else {}),
        "osl_ids": ["ab"] if listed else [],
    }
    found = roles(server(CHANNEL, **fields))
    assert found
    assert Role.RETAINED not in found or len(found) == 1
    assert (Role.PROPAGATION in found) == (embedded and not discovery and not osl)
