"""Attack: a server tells its clients, when they shake hands, of servers that are not what they seem."""

import io
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from tests.store_contents import SetClock

from headrace.base.errors import RemoteProtocolError
from headrace.client.list_import import Importer
from headrace.client.notices import Notices
from headrace.codec.handshake_response import HandshakeResponse, decode_handshake_response
from headrace.crypto.signing import SigningKey
from headrace.documents.entry_fields import encode_fields
from headrace.store.client.store import ClientStore
from headrace.testing.entries import make_entries

OWNER, ATTACKER = SigningKey(bytes(32)), SigningKey(bytes(31) + b"\1")
#: Bytes of an answer, all of it.
MOST = 256 * 1024


class Client:
    """A client that checks signatures with the owner's key, and knows three signed servers."""

    def __init__(self, store: ClientStore) -> None:
        clock = SetClock()
        self.store = store
        self.arrived: list[str] = []
        self.known = list(make_entries(3, signing_key=OWNER))
        local = {"localSource": "EMBEDDED", "localTimestamp": "2023-01-01T00:00:00Z"}
        for fields in self.known:
            store.entries.store(fields | local, replace=True)
        notices = Notices(io.StringIO(), clock)
        self.importer = Importer(store, notices, self.arrived.extend, clock, OWNER.public)

    async def hear(self, entries: list[dict[str, Any]]) -> None:
        await self.importer.import_discovered([encode_fields(fields) for fields in entries])

    def holds_what_it_knew(self) -> bool:
        return all(
            (stored := self.store.entries.get(str(fields["ipAddress"]))) is not None
            and {**stored, **fields} == stored
            for fields in self.known
        )


@pytest.fixture
def client() -> Iterator[Client]:
    with closing(ClientStore.open(None, SetClock())) as store:
        yield Client(store)


@pytest.mark.parametrize("field", ["sshHostKey", "sshObfuscatedKey", "sshPassword", "sshPort", "signature"])
async def test_a_changed_entry_takes_no_signed_ones_place(client: Client, field: str) -> None:
    changed: object = 1 if field == "sshPort" else "AAAA"
    await client.hear([{**fields, field: changed} for fields in client.known])
    assert client.holds_what_it_knew()


@pytest.mark.parametrize("version", [0, 10**9])
async def test_an_entry_without_a_signature_takes_no_signed_ones_place(client: Client, version: int) -> None:
    """Leaving the signature out is no way around it, whatever version is claimed."""
    bare = [{**fields, "configurationVersion": version} for fields in make_entries(3, seed=2)]
    newcomer = list(make_entries(1, first=9))
    await client.hear(bare + newcomer)
    assert client.holds_what_it_knew()
    assert client.arrived == [newcomer[0]["ipAddress"]]


async def test_a_signature_of_somebody_elses_is_none(client: Client) -> None:
    await client.hear(list(make_entries(6, signing_key=ATTACKER)))
    assert client.holds_what_it_knew()
    assert client.store.entries.count() == 3
    assert client.arrived == []


async def test_control_the_owner_can_replace_an_entry(client: Client) -> None:
    await client.hear(list(make_entries(3, seed=2, signing_key=OWNER)))
    assert not client.holds_what_it_knew()


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ab" * 60_000,
        "\x00",
        "\ud800",
        "7b" * 20_000,
        ("0 0 0 0 " + "[" * 30_000).encode().hex(),
        ('0 0 0 0 {"ipAddress":' + "9" * 20_000 + "}").encode().hex(),
        encode_fields({"ipAddress": "example.org"}),
    ],
)
async def test_what_cannot_be_an_entry_is_skipped(client: Client, line: str) -> None:
    await client.importer.import_discovered([line, *map(encode_fields, make_entries(1, first=9)), line])
    assert client.holds_what_it_knew()
    assert client.store.entries.count() == 4


async def test_an_answer_full_of_forgeries_is_bounded_work(client: Client) -> None:
    """As many as fit. The answer as a whole has a bound."""
    forged = [encode_fields(fields) for fields in make_entries(48, first=10, signing_key=ATTACKER)]
    answer = HandshakeResponse(encoded_server_list=[*forged, *([""] * 10_000)])
    payload = answer.to_json()
    assert len(payload) > MOST * 0.8
    begun = time.process_time()
    await client.importer.import_discovered(decode_handshake_response(payload).encoded_server_list)
    assert time.process_time() - begun < 2
    assert client.store.entries.count() == 3
    with pytest.raises(RemoteProtocolError):
        decode_handshake_response(HandshakeResponse(encoded_server_list=forged * 4).to_json())
