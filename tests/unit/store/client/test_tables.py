"""The small tables: keys, validators, values, dial parameters."""

from pathlib import Path

import pytest
from tests.store_contents import SetClock

from headrace.store.client.store import ClientStore
from headrace.store.client.tables import EtagTable, ValueTable


def test_sloks(store: ClientStore) -> None:
    assert store.sloks.add([(b"one", b"key 1"), (b"two", b"key 2"), (b"one", b"again")]) == 2
    assert store.sloks.add([(b"two", b"other"), (b"three", b"key 3")]) == 1
    assert store.sloks.add([]) == 0
    assert [store.sloks.get(identity) for identity in (b"one", b"two", b"four")] == [b"key 1", b"key 2", None]
    assert store.sloks.count() == 3
    store.sloks.clear()
    assert (store.sloks.count(), store.sloks.get(b"one")) == (0, None)


@pytest.mark.parametrize("name", ["etags", "values"])
def test_texts(store: ClientStore, name: str) -> None:
    table: EtagTable | ValueTable = getattr(store, name)
    assert table.get("key") == ""
    table.set("key", '"text"')
    table.set("other", "ü")
    table.set("key", '"newer"')
    assert [table.get(key) for key in ("key", "other", "Key")] == ['"newer"', "ü", ""]
    table.delete("key")
    table.delete("key")
    assert [table.get(key) for key in ("key", "other")] == ["", "ü"]


def test_dial_parameters(store: ClientStore) -> None:
    table = store.dial_parameters
    table.put("192.0.2.1", "WIFI-a", b"one")
    table.put("192.0.2.1", "MOBILE", b"two")
    table.put("192.0.2.2", "WIFI-a", b"three")
    table.put("192.0.2.1", "WIFI-a", b"newer")
    assert table.get("192.0.2.1", "WIFI-a") == b"newer"
    assert table.get("192.0.2.1", "MOBILE") == b"two"
    assert table.get("192.0.2.2", "MOBILE") is None
    assert table.addresses("WIFI-a") == ["192.0.2.1", "192.0.2.2"]
    assert table.addresses("WIRED") == []
    table.delete("192.0.2.1", "WIFI-a")
    assert table.get("192.0.2.1", "WIFI-a") is None
    assert table.addresses("WIFI-a") == ["192.0.2.2"]


def test_all_of_it_is_there_the_next_time(tmp_path: Path) -> None:
    store = ClientStore.open(tmp_path, SetClock())
    store.sloks.add([(b"one", b"key")])
    store.etags.set("url", "etag")
    store.values.set("key", "value")
    store.dial_parameters.put("192.0.2.1", "WIFI", b"parameters")
    store.close()
    again = ClientStore.open(tmp_path, SetClock())
    assert again.sloks.get(b"one") == b"key"
    assert again.etags.get("url") == "etag"
    assert again.values.get("key") == "value"
    assert again.dial_parameters.get("192.0.2.1", "WIFI") == b"parameters"
    again.close()
