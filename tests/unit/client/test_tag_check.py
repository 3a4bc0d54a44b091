"""Asking whether servers still exist: which, when, and what is made of the answer."""

import io
import json
from collections import Counter
from datetime import UTC, datetime

import pytest
from tests.store_contents import SetClock

from headrace.base.rng import SeededRng
from headrace.client.notices import NoticeOptions, Notices
from headrace.client.tag_check import MAX_BYTES, MINIMUM_AGE, OVERHEAD, PERIOD, TagCheck
from headrace.documents.entry_fields import entry_tag
from headrace.store.client.store import ClientStore
from headrace.testing.entries import make_entries

DAY = 86_400


class Check:
    """A check on a store with `count` servers, which are `age` seconds old."""

    def __init__(self, store: ClientStore, clock: SetClock, count: int = 30, age: float = 30 * DAY) -> None:
        self.stream = io.StringIO()
        self.store = store
        self.clock = clock
        self.tags = [self.add(number, age) for number in range(count)]
        self.check = self.again()

    def again(self, seed: int = 1) -> TagCheck:
        notices = Notices(self.stream, self.clock, NoticeOptions(diagnostics=True))
        return TagCheck(self.store, SeededRng(seed), notices, self.clock)

    def add(self, number: int, age: float = 30 * DAY) -> str:
        (fields,) = make_entries(1, first=number)
        stamp = datetime.fromtimestamp(self.clock.now - age, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        local = {"localSource": "REMOTE", "localTimestamp": stamp}
        self.store.entries.store(fields | local, replace=True)
        return entry_tag(fields)

    @property
    def pruned(self) -> list[str]:
        lines = map(json.loads, self.stream.getvalue().splitlines())
        return [line["data"]["serverEntryTag"] for line in lines if line["noticeType"] == "PruneServerEntry"]


@pytest.fixture
def checked(store: ClientStore, clock: SetClock) -> Check:
    return Check(store, clock)


async def test_who_knows_nobody_asks_nothing(store: ClientStore, clock: SetClock) -> None:
    empty = Check(store, clock, count=0)
    assert not empty.check.due
    assert await empty.check.choose() == []


async def test_everybody_is_asked_about_when_they_are_few(checked: Check) -> None:
    assert checked.check.due
    assert sorted(await checked.check.choose()) == sorted(checked.tags)


async def test_no_more_than_fits_is_asked_and_everybody_has_the_same_chance(
    store: ClientStore, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace.client.tag_check.MAX_BYTES", 10 * (44 + OVERHEAD))
    some = Check(store, clock, count=40)
    chosen: Counter[str] = Counter()
    for seed in range(200):
        tags = await some.again(seed).choose()
        assert len(tags) == len(set(tags)) == 10
        chosen.update(tags)
    assert set(chosen) == set(some.tags)
    assert max(chosen.values()) < 90  # 50 on average
    assert min(chosen.values()) > 20


async def test_a_whole_report_is_bounded(store: ClientStore, clock: SetClock) -> None:
    many = Check(store, clock, count=1500)
    tags = await many.check.choose()
    assert 0 <= MAX_BYTES - sum(len(tag) + OVERHEAD for tag in tags) < 44 + OVERHEAD
    assert len(json.dumps(tags, separators=(",", ":"))) <= MAX_BYTES + 2


async def test_servers_too_young_to_be_removed_are_left_out(checked: Check) -> None:
    young = checked.add(100, age=MINIMUM_AGE - 60)
    assert young not in await checked.check.choose()


async def test_with_nobody_old_enough_it_is_looked_again_a_day_later(
    store: ClientStore, clock: SetClock
) -> None:
    young = Check(store, clock, age=MINIMUM_AGE - 12 * 3600)
    assert await young.check.choose() == []
    assert not young.check.due
    clock.now += DAY
    assert len(await young.check.choose()) == 30


async def test_after_a_check_there_is_peace_for_ninety_days(checked: Check) -> None:
    tags = await checked.check.choose()
    await checked.check.conclude(tags, [], [])
    assert not checked.check.due
    checked.clock.now += PERIOD - 60
    assert not checked.again().due
    assert await checked.again().choose() == []
    checked.clock.now += 60
    assert checked.again().due
    assert checked.pruned == []


async def test_a_check_made_when_the_clock_was_wrong_does_not_count(checked: Check) -> None:
    await checked.check.conclude(checked.tags, [], [])
    checked.clock.now -= 400 * DAY
    assert checked.check.due


async def test_what_is_gone_is_removed_and_told(checked: Check) -> None:
    gone = checked.tags[:2]
    await checked.check.conclude(checked.tags, [], [*gone, gone[0], "unknown"])
    assert checked.pruned == gone
    assert checked.store.entries.count() == 28
    assert not checked.check.due  # two of thirty are few


async def test_when_many_are_gone_the_next_report_asks_again(checked: Check) -> None:
    await checked.check.conclude(checked.tags, [], checked.tags[:3])
    assert checked.check.due
    assert len(await checked.check.choose()) == 27


async def test_a_server_removes_nobody_it_was_not_told_of(checked: Check) -> None:
    told, kept = checked.tags[:5], checked.tags[5:]
    await checked.check.conclude(told, [], kept)
    assert checked.pruned == []
    assert checked.store.entries.count() == 30


async def test_servers_that_failed_are_removed_without_a_check(checked: Check) -> None:
    failed = checked.tags[0]
    await checked.check.conclude([], [failed], [failed, checked.tags[1]])
    assert checked.pruned == [failed]
    assert checked.check.due


@pytest.mark.parametrize("text", ["", "soon", "-5", "9" * 400, "1e9", "٣"])
async def test_a_date_that_makes_no_sense_is_none(checked: Check, text: str) -> None:
    checked.store.values.set("serverEntryTagCheckEnd", text)
    assert checked.check.due
