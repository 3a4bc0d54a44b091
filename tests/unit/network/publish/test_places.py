"""Stores and hosts behind one way of putting and deleting."""

import pytest
from tests.unit.network.publish.rig import MemoryHosts, MemoryStore

from headrace.base.errors import OperatorError
from headrace.network.publish.places import (
    BUNDLES,
    EXPORTS,
    NOWHERE,
    STORE,
    Places,
    host_of,
    host_place,
)
from headrace.network.publish.stores.store import NotAsUploaded
from headrace.network.publish.stores.stored import StoredObject

ITEM = StoredObject("name", b"data")


def test_places_lead_to_what_they_name() -> None:
    places = Places(MemoryStore(), MemoryHosts(), MemoryStore(), MemoryStore())
    for place in (STORE, EXPORTS, BUNDLES, host_place("h1")):
        assert places.has(place)
        places.put(place, ITEM)
        places.settle(place)
    assert isinstance(places.hosts, MemoryHosts)
    assert places.hosts.steps == [("put", "h1/name"), ("reload", "h1")]
    for store in (places.store, places.exports, places.bundles):
        assert store is not None
        assert store.get("name") == b"data"
    for place in (STORE, EXPORTS, host_place("h1")):
        places.delete(place, "name")
    assert places.hosts.objects == {}


def test_what_is_not_there_is_said() -> None:
    places = Places()
    for place in (STORE, EXPORTS, host_place("h1"), "elsewhere"):
        assert not places.has(place)
        with pytest.raises(OperatorError):
            places.put(place, ITEM)


def test_a_host_that_has_something_else_is_found_out() -> None:
    hosts = MemoryHosts()
    hosts.spoils = {"h1/name"}
    with pytest.raises(NotAsUploaded, match="h1"):
        Places(hosts=hosts).put(host_place("h1"), ITEM)


def test_only_places_of_hosts_are_hosts() -> None:
    assert host_of(host_place("h1")) == "h1"
    assert host_of(STORE) is None


def test_nowhere_is_always_there_and_takes_nothing() -> None:
    assert Places().has(NOWHERE)
    with pytest.raises(OperatorError):
        Places().put(NOWHERE, ITEM)
