"""Where candidates come from: who is first, and whether that is remembered."""

from collections.abc import Iterator

import pytest

from headrace.base.clock import SYSTEM_CLOCK
from headrace.base.rng import SeededRng
from headrace.client.servers import FixedServers, Servers, StoredServers
from headrace.documents.server_entry import ServerEntry
from headrace.store.client.store import ClientStore
from headrace.testing.entries import make_entries


@pytest.fixture
def store() -> Iterator[ClientStore]:
    store = ClientStore.open(None, SYSTEM_CLOCK)
    for fields in make_entries(20, port=4001, capabilities=["OSSH"]):
        local = {"region": "SE", "localSource": "EMBEDDED", "localTimestamp": "2024-01-01T00:00:00Z"}
        store.entries.store({**fields, **local}, replace=False)
    yield store
    store.close()


@pytest.fixture(params=["stored", "fixed"])
def servers(request: pytest.FixtureRequest, store: ClientStore) -> Servers:
    stored = StoredServers(store)
    return stored if request.param == "stored" else FixedServers(stored.entries(SeededRng(1)))


def order(servers: Servers, region: str = "") -> list[ServerEntry]:
    first = servers.first(region)
    return list(servers.entries(SeededRng(7), [first] if first else [], region))


@pytest.mark.parametrize("region", ["", "SE"])
def test_whoever_served_well_is_first_and_the_rest_is_shuffled(servers: Servers, region: str) -> None:
    assert servers.first(region) == ""
    kept = order(servers, region)[11]
    servers.keep_first(kept, region)
    assert servers.first(region) == kept.ip_address
    found = order(servers, region)
    assert found[0] == kept
    assert len(found) == len({entry.ip_address for entry in found}) == 20
    assert list(servers.entries(SeededRng(8), [kept.ip_address], region))[1:] != found[1:]


def test_it_is_remembered_for_as_long_as_the_same_region_counts(store: ClientStore) -> None:
    kept = order(StoredServers(store))[11]
    StoredServers(store).keep_first(kept, "SE")
    assert StoredServers(store).first("SE") == kept.ip_address
    assert StoredServers(store).first("") == ""
    assert order(StoredServers(store), "")[0] != kept


def test_others_may_be_in_front_and_nobody_comes_twice(servers: Servers) -> None:
    ahead = [entry.ip_address for entry in order(servers)[5:8]]
    found = [
        entry.ip_address for entry in servers.entries(SeededRng(9), [*ahead, "192.0.2.1", ahead[0]], "SE")
    ]
    assert found[:3] == ahead
    assert len(found) == len(set(found)) == 20
    assert list(servers.entries(SeededRng(9), ahead, "CH")) == []


def test_who_served_well_can_be_forgotten(servers: Servers) -> None:
    kept, other = order(servers)[:2]
    servers.keep_first(kept, "")
    servers.forget_first(other.ip_address)
    assert servers.first() == kept.ip_address
    servers.forget_first(kept.ip_address)
    assert servers.first() == ""


def test_entries_are_picked_by_address(servers: Servers) -> None:
    wanted = [entry.ip_address for entry in order(servers)[5:8]]
    assert {entry.ip_address for entry in servers.pick([*wanted, "192.0.2.1"], "SE")} == set(wanted)
    assert list(servers.pick(wanted, "CH")) == []


def test_everybody_is_everybody(servers: Servers) -> None:
    everybody = {entry.ip_address for entry in servers.everybody()}
    assert everybody == {entry.ip_address for entry in order(servers)}
