"""Server entries: storing, revoking, pruning, drawing. The rules step by step are in tests/vectors."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from tests.store_contents import SetClock

from headrace.base.errors import DocumentError
from headrace.base.rng import SeededRng
from headrace.crypto.signing import SigningKey
from headrace.documents.entry_fields import derived_tag
from headrace.documents.entry_signature import sign_entry, verify_entry
from headrace.store.client.importing import Progress
from headrace.store.client.store import ClientStore
from headrace.store.client.tables import AFFINITY
from headrace.testing.entries import address_of, make_entries

DAY = 86_400.0
LOCAL = {"localSource": "REMOTE", "localTimestamp": "2023-01-01T00:00:00Z"}


def entry(number: int = 0, **changes: object) -> dict[str, object]:
    (fields,) = make_entries(1, first=number)
    return fields | LOCAL | changes


def entries(count: int, first: int = 0, **changes: object) -> Iterator[dict[str, object]]:
    return (fields | LOCAL | changes for fields in make_entries(count, first=first))


# ---- storing


def test_every_field_is_kept_as_it_came(store: ClientStore) -> None:
    odd = {
        "unknownField": {"nested": [1, 2.5, -0.0, 1e300, 123456789012345, None, True, "ü\u2028<\x7f"]},
        "Region": "US",
        "": "",
        "large": 1.2345678901234568e21,
    }
    fields = entry() | odd
    assert store.entries.store(fields, replace=True)
    kept = store.entries.get(address_of(0))
    assert kept == fields
    assert kept is not None
    assert json.dumps(kept) == json.dumps(fields), "in its order, and numbers by their kinds"
    assert store.entries.get("192.0.2.77") is None


def test_a_stored_entry_keeps_its_signature(store: ClientStore) -> None:
    key = SigningKey.generate()
    fields = entry()
    del fields["tag"]
    store.entries.store(sign_entry(fields, key), replace=True)
    kept = store.entries.get(address_of(0))
    assert kept is not None
    assert kept["tag"] == derived_tag(fields)
    assert kept["isLocalDerivedTag"] is True
    verify_entry(kept, key.public)


@pytest.mark.parametrize(
    "changes",
    [
        {"ipAddress": "nowhere"},
        {"localSource": "HEARSAY"},
        {"localTimestamp": "yesterday"},
        {"configurationVersion": 2**31 - 1},
        {"unwritable": object()},
        {"unpaired": "\ud800"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_an_invalid_entry_is_refused(store: ClientStore, changes: dict[str, object]) -> None:
    with pytest.raises(DocumentError, match="server entry"):
        store.entries.store(entry() | changes, replace=True)
    assert store.entries.count() == 0


def test_what_is_given_is_not_changed(store: ClientStore) -> None:
    fields = entry()
    del fields["tag"]
    before = dict(fields)
    store.entries.store(fields, replace=True)
    assert fields == before


def test_versions_decide_unless_told_to_replace(store: ClientStore) -> None:
    written = [
        store.entries.store(entry(configurationVersion=version), replace=replace)
        for version, replace in ((2, False), (2, False), (1, False), (3, False), (1, True))
    ]
    assert written == [True, False, False, True, True]


def test_a_revoked_capability_is_gone(store: ClientStore) -> None:
    store.entries.store(entry(configurationVersion=1, capabilities=["OSSH", "QUIC"]), replace=False)
    store.entries.store(entry(configurationVersion=2, capabilities=["OSSH"]), replace=False)
    loaded = store.entries.load(address_of(0), None)
    assert loaded is not None
    assert loaded.capabilities == ["OSSH"]


# ---- importing


def test_an_import_tells_how_far_it_is(store: ClientStore) -> None:
    store.entries.store(entry(3), replace=True)
    steps = list(store.entries.import_entries(entries(25), replace=False, batch=10))
    assert steps == [Progress(10, 9), Progress(20, 19), Progress(25, 24)]
    assert store.entries.count() == 25
    assert list(store.entries.import_entries([], replace=True)) == [Progress()]


def test_an_import_skips_what_is_invalid(store: ClientStore) -> None:
    given = [entry(0), entry(1, ipAddress="nowhere"), entry(2)]
    assert list(store.entries.import_entries(given, replace=True))[-1] == Progress(3, 2)


def test_what_came_before_an_error_is_stored(store: ClientStore) -> None:
    def broken() -> Iterator[dict[str, object]]:
        yield from entries(7)
        raise DocumentError("line 8: server entry line is empty")

    importing = store.entries.import_entries(broken(), replace=True, batch=5)
    assert [next(importing), next(importing)] == [Progress(5, 5), Progress(7, 7)]
    with pytest.raises(DocumentError, match="line 8"):
        next(importing)
    assert store.entries.count() == 7


def test_an_import_that_is_left_keeps_what_it_has_done(store: ClientStore) -> None:
    next(store.entries.import_entries(entries(30), replace=True, batch=10))
    assert store.entries.count() == 10


# ---- pruning and deleting

STORED = datetime(2023, 1, 1, tzinfo=UTC).timestamp()


def test_pruning_takes_all_that_belongs_to_the_entry(store: ClientStore, time: SetClock) -> None:
    store.entries.store(entry(0, tag="old"), replace=True)
    store.entries.store(entry(1, tag="other"), replace=True)
    for number in (0, 1):
        store.dial_parameters.put(address_of(number), "WIFI", b"parameters")
    store.values.set(AFFINITY, address_of(0))
    time.now = STORED + 7 * DAY - 1
    assert not store.entries.prune("old", 7 * DAY), "too young"
    time.now += 1
    assert store.entries.prune("old", 7 * DAY)
    assert store.entries.by_tag("old") is None
    assert not store.entries.prune("old", 7 * DAY), "gone already"
    assert store.entries.count() == 1
    assert store.dial_parameters.addresses("WIFI") == [address_of(1)]
    assert store.values.get(AFFINITY) == ""


def test_pruning_one_server_leaves_another_its_affinity(store: ClientStore) -> None:
    store.entries.store(entry(0, tag="old"), replace=True)
    store.values.set(AFFINITY, address_of(1))
    assert store.entries.prune("old", DAY)
    assert store.values.get(AFFINITY) == address_of(1)


def test_a_timestamp_with_offset_and_fraction_counts(store: ClientStore, time: SetClock) -> None:
    store.entries.store(entry(tag="t", localTimestamp="2023-01-01T02:00:00.123456789+02:00"), replace=True)
    time.now = STORED + DAY
    assert not store.entries.prune("t", DAY)
    time.now += 1
    assert store.entries.prune("t", DAY)


def test_a_tag_whose_entry_was_deleted_is_unknown(store: ClientStore) -> None:
    store.entries.store(entry(0, tag="first"), replace=True)
    store.entries.store(entry(0, tag="second"), replace=True)
    store.entries.delete(address_of(0))
    assert store.entries.get(address_of(0)) is None
    assert [store.entries.by_tag(tag) for tag in ("first", "second")] == [None, None]
    assert not store.entries.prune("first", DAY)
    store.entries.delete(address_of(0))


# ---- finding


def test_by_tag(store: ClientStore) -> None:
    store.entries.store(entry(0, tag="old"), replace=True)
    store.entries.store(entry(0, tag="new"), replace=True)
    for tag in ("old", "new"):
        found = store.entries.by_tag(tag)
        assert found is not None
        assert found["tag"] == "new"
    assert store.entries.by_tag("nobody's") is None


def test_loading_checks_signatures_when_there_is_a_key(store: ClientStore, told: list[str]) -> None:
    key, other = SigningKey.generate(), SigningKey.generate()
    good = sign_entry(entry(0), key)
    for fields in (good, sign_entry(entry(1), other), sign_entry(entry(2), key) | {"sshPort": 1}, entry(3)):
        store.entries.store(fields, replace=True)
    loaded = [store.entries.load(address_of(number), key.public) for number in range(4)]
    assert [one is not None for one in loaded] == [True, False, False, True]
    assert loaded[0] is not None
    assert loaded[0].fields == good
    assert store.entries.count() == 2
    assert store.entries.load("192.0.2.77", None) is None
    assert told == []


def test_loading_deletes_what_cannot_be_dialled(store: ClientStore) -> None:
    store.entries.store(entry(sshPort="22"), replace=True)
    assert store.entries.load(address_of(0), None) is None
    assert store.entries.count() == 0


@pytest.mark.parametrize("text", [b"{", b"\xff", b"[]", b"[" * 100_000, b'{"ipAddress":"192.0.2.1"}', b"{}"])
def test_loading_deletes_what_was_damaged(store: ClientStore, told: list[str], text: bytes) -> None:
    for number in (0, 1, 2):
        store.entries.store(entry(number), replace=True)
    store._database.execute("UPDATE entry SET fields = ? WHERE id > 1", text)
    assert store.entries.get(address_of(1)) is None
    assert [found.ip_address for found in store.entries.everything()] == [address_of(0)]
    assert [store.entries.load(address_of(number), None) is None for number in range(3)] == [
        False,
        True,
        True,
    ]
    assert store.entries.count() == 1
    assert told == ["a server entry in the client store is damaged; it is removed"], "once"


def test_all_of_them_can_be_counted_some_at_a_time(store: ClientStore) -> None:
    for fields in entries(120):
        store.entries.store(fields, replace=True)
    store.entries.store(entry(120, sshPort="no number"), replace=True)
    found = []
    for number, each in enumerate(store.entries.everything()):
        if number == 60:  # changes meanwhile do no harm
            store.entries.delete(address_of(3))
            store.entries.delete(address_of(119))
            store.entries.store(entry(130), replace=True)
        found.append(each.ip_address)
    assert found == [address_of(number) for number in [*range(119), 130]]
    assert store.entries.count() == 120, "the one that cannot be used is still there"


def test_regions(store: ClientStore) -> None:
    regions: list[dict[str, object]] = [
        {"region": "NL"},
        {"region": "CA"},
        {"region": "CA"},
        {"region": "CA", "REGION": "JP"},
        {"region": "CA", "Region": None},
        {"region": ""},
        {"region": 5},
    ]
    for number, fields in enumerate(regions):
        store.entries.store(entry(number) | fields, replace=True)
    assert store.entries.regions() == ["CA", "JP", "NL"]
    found = store.entries.addresses(SeededRng(1), region="CA")
    assert sorted(found) == [address_of(number) for number in (1, 2, 4)]
    assert list(store.entries.addresses(SeededRng(1), region="ZZ")) == []
    store.entries.store(entry(1, region="NL"), replace=True)
    assert sorted(store.entries.addresses(SeededRng(1), region="NL")) == [address_of(0), address_of(1)]


def test_addresses_are_drawn_once_each_in_an_order_that_the_generator_decides(store: ClientStore) -> None:
    assert list(store.entries.addresses(SeededRng(1))) == []
    for _ in store.entries.import_entries(entries(50), replace=True):
        pass
    orders = [list(store.entries.addresses(SeededRng(seed))) for seed in (1, 1, 2)]
    assert sorted(orders[0]) == sorted(map(address_of, range(50)))
    assert orders[0] == orders[1] != orders[2]


def test_some_come_first(store: ClientStore) -> None:
    for number in range(20):
        store.entries.store(entry(number, region="NL" if number < 10 else "DE"), replace=True)
    first = [address_of(15), address_of(5), "192.0.2.77", address_of(5), address_of(7)]
    order = list(store.entries.addresses(SeededRng(1), region="NL", first=first))
    assert order[:2] == [address_of(5), address_of(7)]
    assert sorted(order) == sorted(map(address_of, range(10)))
    order = list(store.entries.addresses(SeededRng(1), first=first))
    assert order[:3] == [address_of(15), address_of(5), address_of(7)]
    assert len(order) == len(set(order)) == 20


def test_the_store_may_change_while_addresses_are_drawn(store: ClientStore) -> None:
    for _ in store.entries.import_entries(entries(20), replace=True):
        pass
    walk = store.entries.addresses(SeededRng(1))
    begun = [next(walk) for _ in range(5)]
    gone = next(address for address in map(address_of, range(20)) if address not in begun)
    store.entries.delete(gone)
    for _ in store.entries.import_entries(entries(10, first=15), replace=True):
        pass
    rest = list(walk)
    assert gone not in rest
    assert len(begun) + len(rest) == len({*begun, *rest}) == 19
