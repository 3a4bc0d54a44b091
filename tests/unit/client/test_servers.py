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
