"""The machine's clock is set, by an hour or by decades, forth and back: nobody loses a tunnel by it."""

import asyncio
import json
from pathlib import Path

import pytest
import pytest_asyncio
from tests.memory_network import Destination, MemoryServer, Network, make_tunnel, settle
from tests.stopped_clock import StoppedClock

from headrace.client.tunnel import Tunnel
from headrace.codec.handshake_response import HandshakeResponse
from headrace.documents.entry_fields import encode_fields
from headrace.server.worker import SWEEP
from headrace.ssh.forwarding import Destination as Target
from headrace.testing.entries import make_entries
from headrace.testing.peers import RecordingEndpoint

pytestmark = pytest.mark.virtual_time

NOW = 1_800_000_000.0
HOUR, YEAR = 3600.0, 365.25 * 86_400
STEPS = {
    "an hour on": NOW + HOUR,
    "an hour back": NOW - HOUR,
    "forty years on": NOW + 40 * YEAR,
    "to 1970": 0.0,
    "before 1970": -5 * HOUR,
}
ORIGIN = ("8.8.8.8", 80)
PSINET = "psinet.json"


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock(NOW)


@pytest_asyncio.fixture
async def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: StoppedClock) -> MemoryServer:
    """A server whose clients are told of another in the month around NOW."""
    (entry,) = make_entries(1)
    times = "2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z"
    server = {"discovery_date_range": times, "encoded_server_entry": encode_fields(entry)}
    (tmp_path / PSINET).write_text(json.dumps({"discovery_servers": [server]}))
    network = Network.install(monkeypatch)
    network.places[ORIGIN] = Destination
    return MemoryServer(network, tmp_path, sweeping=True, clock=clock, PsinetDatabaseFilename=PSINET)


async def connected(server: MemoryServer) -> tuple[Tunnel, HandshakeResponse]:
    tunnel = make_tunnel(server.entry)
    await tunnel.connect()
    return tunnel, await tunnel.handshake()


async def works(tunnel: Tunnel) -> None:
    """Try all that a client does."""
    endpoint = RecordingEndpoint()
    tunnel.open(Target(*ORIGIN), endpoint)
    await settle()
    assert endpoint.events[0] == ("opened",)
    assert await tunnel.request(b"keepalive@openssh.com", b"")
    assert not tunnel.ended.done()


@pytest.mark.parametrize("moment", STEPS.values(), ids=STEPS)
async def test_tunnels_go_on_and_new_ones_are_made(
    server: MemoryServer, clock: StoppedClock, moment: float
) -> None:
    before, _ = await connected(server)
    await works(before)
    clock.now = moment
    await asyncio.sleep(3 * SWEEP)
    await works(before)
    during, answer = await connected(server)
    await works(during)
    others = [entry for entry in answer.encoded_server_list if entry != server.entry.encode()]
    assert len(others) == (abs(moment - NOW) <= HOUR), "whose time it is goes by the clock"
    clock.now = NOW
    await asyncio.sleep(3 * SWEEP)
    after, _ = await connected(server)
    for tunnel in (before, during, after):
        await works(tunnel)
        tunnel.abort()
