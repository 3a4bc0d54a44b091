"""Entries that a server tells of in its answer to the handshake."""

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.store_contents import SetClock

from headrace.client.list_import import Importer
from headrace.client.notices import Notices
from headrace.crypto.signing import SigningKey
from headrace.documents.entry_fields import encode_fields
from headrace.documents.server_entry import ServerEntry
from headrace.store.client.store import ClientStore
from headrace.testing.entries import make_entries

KEY, OTHER_KEY = SigningKey(bytes(32)), SigningKey(bytes(31) + b"\1")
SERVER_TIME = datetime(2024, 6, 1, 12, 34, 56, tzinfo=UTC).timestamp()
HOUR = "2024-06-01T12:00:00Z"


class Client:
    def __init__(self, store: ClientStore, clock: SetClock, key: SigningKey | None = None) -> None:
        self.store = store
        self.arrived: list[str] = []
        notices = Notices(io.StringIO(), clock)
        self.importer = Importer(store, notices, self.arrived.extend, clock, key.public if key else None)

    def local(self, fields: dict[str, Any]) -> tuple[object, object]:
        stored = self.store.entries.get(fields["ipAddress"])
        assert stored is not None
        return stored["localSource"], stored["localTimestamp"]


@pytest.fixture
def client(store: ClientStore, clock: SetClock) -> Client:
    return Client(store, clock)


def entries(count: int = 3, **changes: object) -> list[dict[str, Any]]:
    return [fields | changes for fields in make_entries(count)]


async def test_they_have_the_servers_hour_and_are_told_of(client: Client) -> None:
    told = entries(localSource="EMBEDDED", localTimestamp="2020-01-01T00:00:00Z")
    await client.importer.import_discovered(map(encode_fields, told), SERVER_TIME)
    assert [client.local(fields) for fields in told] == [("DISCOVERY", HOUR)] * 3
    assert client.arrived == [fields["ipAddress"] for fields in told]


@pytest.mark.parametrize("server_time", [None, 1e300, -1e300, float("nan"), float("inf")])
async def test_without_a_time_of_the_servers_ours_serves(
    client: Client, clock: SetClock, server_time: float | None
) -> None:
    (fields,) = entries(1)
    await client.importer.import_discovered([encode_fields(fields)], server_time)
    assert client.local(fields) == ("DISCOVERY", "2023-11-14T22:00:00Z")


async def test_they_replace_what_is_stored_even_by_an_older_version(client: Client) -> None:
    (new,), (old,) = entries(1, configurationVersion=5), entries(1, configurationVersion=4)
    await client.importer.import_discovered([encode_fields(new)], SERVER_TIME)
    client.arrived.clear()
    await client.importer.import_discovered([encode_fields(old)], SERVER_TIME)
    stored = client.store.entries.get(old["ipAddress"])
    assert stored is not None
    assert stored["configurationVersion"] == 4
    assert client.arrived == []


async def test_one_that_cannot_be_read_costs_the_others_nothing(client: Client) -> None:
    first, second, third = map(encode_fields, entries())
    nonsense = ["", "xyz", "00", "ab" * 40_000, encode_fields({"ipAddress": "example.org"})]
    await client.importer.import_discovered([first, *nonsense, second, "\ud800", third], SERVER_TIME)
    assert client.store.entries.count() == 3


@pytest.mark.parametrize("lacks", ["signature", "providerID"])
async def test_a_better_copy_of_our_servers_entry_keeps_where_it_came_from(
    client: Client, lacks: str
) -> None:
    local = {"localSource": "EMBEDDED", "localTimestamp": "2024-01-01T00:00:00Z"}
    better, other = ({"signature": "signed", "providerID": "somebody"} | fields for fields in entries(2))
    used = ServerEntry.from_fields({**better, lacks: ""} | local)
    await client.importer.import_discovered(map(encode_fields, (better, other)), SERVER_TIME, used)
    assert client.local(better) == ("EMBEDDED", "2024-01-01T00:00:00Z")
    assert client.local(other) == ("DISCOVERY", HOUR)


async def test_a_copy_that_was_not_asked_for_comes_from_the_server(client: Client) -> None:
    (fields,) = entries(1, signature="signed", providerID="somebody")
    local = {"localSource": "EMBEDDED", "localTimestamp": "2024-01-01T00:00:00Z"}
    used = ServerEntry.from_fields(fields | local)
    await client.importer.import_discovered([encode_fields(fields)], SERVER_TIME, used)
    assert client.local(fields) == ("DISCOVERY", HOUR)


async def test_a_forged_entry_takes_no_good_ones_place(store: ClientStore, clock: SetClock) -> None:
    client = Client(store, clock, KEY)
    good = [*make_entries(2, signing_key=KEY)]
    forged = [*make_entries(2, signing_key=OTHER_KEY)]
    await client.importer.import_discovered(map(encode_fields, good), SERVER_TIME)
    await client.importer.import_discovered(map(encode_fields, forged), SERVER_TIME)
    for fields in good:
        assert store.entries.load(str(fields["ipAddress"]), KEY.public) is not None
