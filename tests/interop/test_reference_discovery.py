"""The deployed server tells each client of the server that ours would, by either of its strategies.

HEADRACE_PSIPHOND   where the program is; without it these tests are skipped
"""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.interop.ours import CHANNEL_AND_SPONSOR
from tests.interop.reference import psiphond
from tests.local_address import From

from headrace.base.rng import SYSTEM_RNG
from headrace.client.api import Identity
from headrace.client.tunnel import Tunnel
from headrace.discovery.strategy import make_strategy
from headrace.documents.client_config import read_client_config
from headrace.documents.entry_fields import encode_fields
from headrace.documents.psinet import read_psinet
from headrace.documents.server_entry import ServerEntry
from headrace.establishment.dial_parameters import choose
from headrace.server.discovery import Discovery
from headrace.testing.entries import make_entries

pytestmark = [pytest.mark.reference, pytest.mark.timeout(90)]

SECRET = "c2VjcmV0IG9mIHRoZSBuZXR3b3Jr"
CLIENTS = [f"127.{number}.{number * 7 % 256}.{number + 1}" for number in range(16)]
#: Days from today in which a server may be told of, in turn: most are open, some are over or still to come.
RANGES = [(-1, 7), (-7, 1), (-2, 2), (-9, -2), (2, 9)]


def psinet() -> bytes:
    today = datetime.now(UTC)
    servers = [
        {
            "discovery_date_range": [(today + timedelta(days)).isoformat() for days in RANGES[number % 5]],
            "encoded_server_entry": encode_fields(fields),
        }
        for number, fields in enumerate(make_entries(40))
    ]
    return json.dumps({"discovery_servers": servers}).encode()


async def told(entry: ServerEntry, address: str) -> list[str]:
    """Return the entries that a client is told of who comes from this address, but for the server's own."""
    identity = Identity.from_config(read_client_config(json.dumps(CHANNEL_AND_SPONSOR).encode()))
    dial = choose(entry, "OSSH", SYSTEM_RNG)
    tunnel = Tunnel(dial, identity, SYSTEM_RNG, lambda name, payload: None, From(address))
    await tunnel.connect()
    try:
        lines = (await tunnel.handshake()).encoded_server_list
        return [line for line in lines if ServerEntry.decode(line).ip_address != entry.ip_address]
    finally:
        tunnel.close()


@pytest.mark.parametrize("strategy", ["classic", "consistent"])
async def test_both_tell_a_client_of_the_same_server(strategy: str, tmp_path: Path) -> None:
    content = psinet()
    (tmp_path / "psinet.json").write_bytes(content)
    parameters = {"ServerDiscoveryStrategy": strategy}
    tactics = {"DefaultTactics": {"TTL": "60s", "Probability": 1.0, "Parameters": parameters}}
    (tmp_path / "tactics.json").write_text(json.dumps(tactics))
    discovery = Discovery(read_psinet(content).discovery_servers, make_strategy(strategy, SECRET))
    expected: set[str] = set()
    async with psiphond(
        tmp_path / "server",
        PsinetDatabaseFilename=str(tmp_path / "psinet.json"),
        TacticsConfigFilename=str(tmp_path / "tactics.json"),
        DiscoveryValueHMACKey=SECRET,
    ) as fields:
        entry = ServerEntry.from_fields(fields)
        for address in CLIENTS:
            ours = {discovery.choose(address, time.time())}
            theirs = await told(entry, address)
            ours.add(discovery.choose(address, time.time()))  # an hour may have begun
            assert theirs in [[server.encoded_entry] for server in ours if server]
            expected.update(theirs)
    assert len(expected) > 3, "one answer for everybody shows nothing"
