"""Counting bytes for servers to be told of, over the ends of runs."""

import json

import pytest
from tests.store_contents import SetClock

from headrace.client.unreported_bytes import UnreportedBytes
from headrace.store.client.store import ClientStore

KEY = "unreportedBytes"


def test_what_a_server_was_told_is_forgotten_and_what_came_meanwhile_is_not() -> None:
    counts = UnreportedBytes(None, SetClock())
    assert counts.snapshot() == {}
    counts.add(5)
    counts.add(7)
    told = counts.snapshot()
    counts.add(100)
    counts.confirm(told)
    assert counts.snapshot() == {"(OTHER)": 100}
    counts.confirm(counts.snapshot())
    assert counts.snapshot() == {}


def test_the_next_run_goes_on_where_this_one_ends(store: ClientStore, clock: SetClock) -> None:
    first = UnreportedBytes(store, clock)
    first.add(5)
    first.save()
    second = UnreportedBytes(store, clock)
    second.add(1)
    assert second.snapshot() == {"(OTHER)": 6}
    second.confirm(second.snapshot())
    assert UnreportedBytes(store, clock).snapshot() == {}


def test_a_kill_costs_a_minute_at_most(store: ClientStore, clock: SetClock) -> None:
    counts = UnreportedBytes(store, clock)
    for _ in range(150):
        clock.now += 1
        counts.add(1)
    assert UnreportedBytes(store, clock).snapshot() == {"(OTHER)": 120}


def test_nothing_is_written_when_nothing_changed(store: ClientStore, clock: SetClock) -> None:
    counts = UnreportedBytes(store, clock)
    counts.add(5)
    counts.save()
    store.values.set(KEY, "")
    counts.save()
    assert store.values.get(KEY) == ""


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "[]",
        "5",
        "[" * 100_000,
        '{"(OTHER)": "5"}',
        '{"(OTHER)": -5}',
        '{"(OTHER)": true}',
        '{"(OTHER)": 1e999}',
        '{"(OTHER)": 99999999999999999999999}',
        json.dumps({str(number): 1 for number in range(1001)}),
    ],
)
def test_a_count_that_makes_no_sense_is_none(store: ClientStore, clock: SetClock, text: str) -> None:
    store.values.set(KEY, text)
    assert UnreportedBytes(store, clock).snapshot() == {}
