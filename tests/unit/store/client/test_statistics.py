"""Records that are reported once each."""

from pathlib import Path

from tests.store_contents import SetClock

from headrace.store.client.statistics import MOST_RECORDS
from headrace.store.client.store import ClientStore


def test_records_are_taken_oldest_first_and_confirmed(store: ClientStore) -> None:
    table = store.statistics
    assert [table.add("tunnel", record) for record in (b"zz", b"aa", b"zz")] == [True, True, False]
    assert table.add("list", b"zz"), "another kind"
    assert table.take("tunnel", 100) == [b"zz", b"aa"]
    assert table.take("tunnel", 100) == [], "on their way"
    table.confirm("tunnel", [b"zz", b"never seen"])
    table.put_back("tunnel", [b"aa"])
    assert table.take("tunnel", 100) == [b"aa"]
    assert table.take("list", 100) == [b"zz"]


def test_only_what_is_on_its_way_is_confirmed(store: ClientStore) -> None:
    store.statistics.add("tunnel", b"waiting")
    store.statistics.confirm("tunnel", [b"waiting"])
    assert store.statistics.take("tunnel", 100) == [b"waiting"]


def test_no_more_is_taken_than_fits(store: ClientStore) -> None:
    for record in (b"a" * 50, b"b" * 200, b"c" * 50, b"d" * 50):
        store.statistics.add("tunnel", record)
    assert store.statistics.take("tunnel", 100) == [b"a" * 50, b"c" * 50]
    assert store.statistics.take("tunnel", 100) == [b"d" * 50]
    assert store.statistics.take("tunnel", 200) == [b"b" * 200]


def test_newer_ones_are_discarded_when_there_are_enough(store: ClientStore) -> None:
    added = [store.statistics.add("tunnel", b"%d" % number) for number in range(MOST_RECORDS + 5)]
    assert added == [True] * MOST_RECORDS + [False] * 5
    assert store.statistics.add("list", b"0"), "each kind has its own room"
    taken = store.statistics.take("tunnel", 10**6)
    assert taken == [b"%d" % number for number in range(MOST_RECORDS)]
    assert not store.statistics.add("tunnel", b"new"), "what is on its way counts"
    store.statistics.confirm("tunnel", taken[:1])
    assert store.statistics.add("tunnel", b"new")


def test_what_was_on_its_way_is_reported_again_after_a_restart(tmp_path: Path) -> None:
    for _ in range(2):
        store = ClientStore.open(tmp_path, SetClock())
        store.statistics.add("tunnel", b"record")
        assert store.statistics.take("tunnel", 100) == [b"record"]
        store.close()


def test_what_is_being_reported_does_not_wait(store: ClientStore) -> None:
    assert not store.statistics.waiting()
    store.statistics.add("tunnel", b"record")
    store.statistics.add("list", b"record")
    assert store.statistics.waiting()
    store.statistics.take("tunnel", 100)
    assert store.statistics.waiting()
    store.statistics.take("list", 100)
    assert not store.statistics.waiting()
    store.statistics.put_back("list", [b"record"])
    assert store.statistics.waiting()
