"""Servers past their time go by how many use them; a server that cannot be asked is reported."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.network.strategy.fleet import DAY, NOW, channel, server

from headrace.network.model import Server, Status
from headrace.network.strategy.pruning import Action, Pruned, prune
from headrace.network.strategy.roles import Role

MINE = channel(max_propagation_age=20, max_discovery_age=5, max_osl_age=10)
#: Longer ago than any age that is allowed.
LONG_AGO = NOW - 90 * DAY


def told_of(end: float, **fields: Any) -> Server:
    return server(MINE, discovery_start=LONG_AGO, discovery_end=NOW - end * DAY, **fields)


def pruned(*servers: Server, connected: int | None = 0) -> list[Pruned]:
    return prune(MINE, servers, NOW, {each.id: connected for each in servers})


def test_a_discovery_server_is_past_its_time_some_days_after_its_range() -> None:
    old, young = told_of(5.1), told_of(5)
    (only,) = pruned(young, old)
    assert only == Pruned(old, frozenset({Role.DISCOVERY}), NOW - 0.1 * DAY, 0, Action.REMOVE)


def test_a_server_of_obfuscated_lists_is_so_after_its_own_range() -> None:
    def listed(end: float) -> Server:
        return server(MINE, osl_start=LONG_AGO, osl_end=NOW - end * DAY, osl_ids=["ab"], created_at=LONG_AGO)

    old, young = listed(11), listed(9)
    assert [each.server for each in pruned(young, old)] == [old]


def test_propagation_servers_and_those_they_replaced_go_by_their_creation() -> None:
    old = [server(MINE, is_embedded=embedded, created_at=NOW - 21 * DAY) for embedded in (True, False)]
    young = [server(MINE, is_embedded=embedded, created_at=NOW - 19 * DAY) for embedded in (True, False)]
    assert [each.server for each in pruned(*young, *old)] == old


def test_a_server_with_two_roles_stays_for_the_later_one() -> None:
    both = told_of(80, osl_start=LONG_AGO, osl_end=NOW - 9 * DAY, osl_ids=["ab"])
    assert pruned(both) == []
    both.osl_end = NOW - 11 * DAY
    assert [each.since for each in pruned(both)] == [NOW - DAY]


@pytest.mark.parametrize(
    "spared",
    [
        told_of(80, is_permanent=True),
        server(MINE, is_permanent=True, is_embedded=True, created_at=LONG_AGO),
        told_of(80, status=Status.PAUSED),
        told_of(80, status=Status.GONE),
        server(channel(max_propagation_age=20), created_at=LONG_AGO),
    ],
    ids=["permanent", "permanent and embedded", "paused", "gone", "of another channel"],
)
def test_some_are_never_past_their_time(spared: Server) -> None:
    assert pruned(spared) == []


def test_an_age_of_zero_keeps_the_servers_of_that_role() -> None:
    lenient = channel(max_propagation_age=20, max_discovery_age=0, max_osl_age=10)
    kept = server(lenient, discovery_start=LONG_AGO, discovery_end=LONG_AGO + DAY)
    gone = server(lenient, is_embedded=True, created_at=LONG_AGO)
    assert [each.server for each in prune(lenient, [kept, gone], NOW, {})] == [gone]


@pytest.mark.parametrize(
    ("connected", "status", "action"),
    [
        (0, Status.ACTIVE, Action.REMOVE),
        (10, Status.ACTIVE, Action.REMOVE),
        (11, Status.ACTIVE, Action.DRAIN),
        (34, Status.ACTIVE, Action.DRAIN),
        (35, Status.ACTIVE, Action.KEEP),
        (None, Status.ACTIVE, Action.REPORT),
        (10, Status.DRAINING, Action.REMOVE),
        (20, Status.DRAINING, Action.KEEP),
        (None, Status.DRAINING, Action.REPORT),
    ],
)
def test_what_is_done_depends_on_who_uses_it(connected: int | None, status: Status, action: Action) -> None:
    (only,) = pruned(told_of(80, status=status), connected=connected)
    assert (only.connected, only.action) == (connected, action)


def test_a_server_nobody_asked_is_reported() -> None:
    assert [each.action for each in prune(MINE, [told_of(80)], NOW, {})] == [Action.REPORT]


@given(st.lists(st.integers(0, 60), max_size=20), st.integers(0, 30))
def test_later_no_fewer_are_past_their_time_and_the_oldest_come_first(ages: list[int], later: int) -> None:
    servers = [told_of(age) for age in ages]
    now, then = (prune(MINE, servers, at, {}) for at in (NOW, NOW + timedelta(days=later)))
    assert {each.server for each in now} <= {each.server for each in then}
    assert [each.since for each in then] == sorted(each.since for each in then)
    assert all(each.since < NOW for each in now)
