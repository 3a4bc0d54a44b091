"""The client's store against a model of its rules, with whatever entries and in whatever order."""

import json
import struct
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.store_contents import SetClock

from headrace.base.rng import SeededRng
from headrace.documents.entry_fields import derived_tag
from headrace.documents.json_canonical import decode_json
from headrace.store.client.log_check import lost_transactions
from headrace.store.client.random_walk import Shuffle
from headrace.store.client.store import ClientStore

ADDRESSES = ["192.0.2.1", "192.0.2.2", "2001:db8::1"]
TAGS = ["", "a", "b", "c"]


@dataclass
class Model:
    """The rules of server lists spec §1.8, in the plainest form."""

    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    tombstones: set[str] = field(default_factory=set)

    def store(self, fields: dict[str, Any], replace: bool) -> bool:
        kept = self.entries.get(fields["ipAddress"])
        if kept and not replace and kept["configurationVersion"] >= fields["configurationVersion"]:
            return False
        if not fields["tag"]:
            fields = fields | {"tag": derived_tag(fields), "isLocalDerivedTag": True}
        if fields["localSource"] == "EMBEDDED" and fields["tag"] in self.tombstones:
            return False
        self.entries[fields["ipAddress"]] = fields
        self.tags[fields["tag"]] = fields["ipAddress"]
        return True

    def prune(self, tag: str) -> bool:
        fields = self.entries.get(self.tags.get(tag, ""))
        if fields is None:
            return False
        del self.tags[tag]
        if fields["tag"] == tag:
            del self.entries[fields["ipAddress"]]
        if fields["localSource"] == "EMBEDDED":
            self.tombstones.add(tag)
        return True

    def delete(self, address: str) -> None:
        if fields := self.entries.pop(address, None):
            if self.tags.get(fields["tag"]) == address:
                del self.tags[fields["tag"]]


ENTRIES = st.fixed_dictionaries(
    {
        "ipAddress": st.sampled_from(ADDRESSES),
        "tag": st.sampled_from(TAGS),
        "configurationVersion": st.integers(0, 3),
        "localSource": st.sampled_from(["EMBEDDED", "REMOTE"]),
        "localTimestamp": st.just("2020-01-01T00:00:00Z"),
        "webServerSecret": st.sampled_from(["x", "y"]),
        "region": st.sampled_from(["", "NL", "DE"]),
    }
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("store"), ENTRIES, st.booleans()),
        st.tuples(st.just("prune"), st.sampled_from(TAGS)),
        st.tuples(st.just("delete"), st.sampled_from(ADDRESSES)),
    ),
    max_size=20,
)


@given(STEPS)
def test_the_rules_of_storing_and_pruning(steps: list[tuple[Any, ...]]) -> None:
    model = Model()
    with closing(ClientStore.open(None, SetClock())) as store:
        for step, *arguments in steps:
            if step == "store":
                fields, replace = arguments
                assert store.entries.store(fields, replace=replace) == model.store(fields, replace)
            elif step == "prune":
                assert store.entries.prune(arguments[0], 0) == model.prune(arguments[0])
            else:
                store.entries.delete(arguments[0])
                model.delete(arguments[0])
            assert {address: store.entries.get(address) for address in ADDRESSES} == {
                address: model.entries.get(address) for address in ADDRESSES
            }
        for tag in [*TAGS, *model.tags]:
            assert store.entries.by_tag(tag) == model.entries.get(model.tags.get(tag, ""))
        assert store.entries.count() == len(model.entries)
        regions = {fields["region"] for fields in model.entries.values()} - {""}
        assert store.entries.regions() == sorted(regions)
        for region in ["", *regions]:
            expected = [a for a, fields in model.entries.items() if region in ("", fields["region"])]
            assert sorted(store.entries.addresses(SeededRng(1), region=region)) == sorted(expected)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), VALUES, max_size=6))
def test_any_fields_come_out_as_they_went_in(extra: dict[str, Any]) -> None:
    fields = extra | {
        "ipAddress": "192.0.2.1",
        "localSource": "REMOTE",
        "localTimestamp": "2020-01-01T00:00:00Z",
        "tag": "t",
        "configurationVersion": 1,
    }
    read = decode_json(json.dumps(fields).encode())
    assert isinstance(read, dict)
    with closing(ClientStore.open(None, SetClock())) as store:
        store.entries.store(read, replace=True)
        assert repr(store.entries.get("192.0.2.1")) == repr(read)


@given(st.integers(0, 300), st.integers())
def test_a_shuffle_has_every_number_once(count: int, seed: int) -> None:
    shuffle = Shuffle(count, SeededRng(seed))
    assert sorted(iter(shuffle.draw, None)) == list(range(count))


@given(st.binary(max_size=200), st.binary(max_size=20_000))
def test_any_log_can_be_looked_at(index: bytes, log: bytes) -> None:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "file.db"
        Path(f"{path}-shm").write_bytes(index)
        Path(f"{path}-wal").write_bytes(log)
        with suppress(struct.error):
            assert 0 <= lost_transactions(path) <= len(log) // 24
