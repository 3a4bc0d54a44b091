"""Attack: use a server's statistics to tell who its users are, by what they say or by what it wrote.

Clients of any kind say of themselves what they like, addresses and ids among it. What they say must not come
through to the event log or the metrics as more than what they have in common with many others.
"""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.memory_network import MemoryServer, Network, make_tunnel, settle

from headrace.client.tunnel import Tunnel
from headrace.codec.packed_parameter_keys import PARAMETER_KEYS
from headrace.server.metrics_page import MetricsPage
from headrace.server.stats.event_log import MAX_TEXT, EventLog
from headrace.server.stats.snapshot import Snapshot

pytestmark = pytest.mark.virtual_time

ADDRESS, ADDRESS_6, SESSION = "203.0.113.77", "2001:db8:7::77", "5e55" * 8
BASE = {
    "propagation_channel_id": "F" * 16,
    "sponsor_id": "F" * 16,
    "client_version": "1",
    "client_platform": f"Linux_{ADDRESS}",
    "relay_protocol": "OSSH",
    "session_id": SESSION,
}
SPELLINGS = (
    ADDRESS,
    f"{ADDRESS}:443",
    f"http://{ADDRESS}/x",
    f"[{ADDRESS_6}]:443",
    f"::ffff:{ADDRESS}",
    f"dial tcp {ADDRESS}: refused",
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> MemoryServer:
    return MemoryServer(Network.install(monkeypatch), tmp_path, EventLogFilename="events.log")


async def say(tunnel: Tunnel, name: str, parameters: dict[str, Any]) -> bytes | None:
    return await tunnel.request(f"psiphon-{name}".encode(), json.dumps(parameters).encode())


def everything(text: str) -> dict[str, Any]:
    """Return a request in which all that may be any text is this one."""
    free = {name: text for name, form in PARAMETER_KEYS.values() if form == "none"}
    checked = ("server_entry_region", "server_entry_source", "server_entry_timestamp", "upstream_proxy_type")
    for name in (*checked, "egress_region", "split_tunnel", "client_build_rev", "last_connected"):
        free.pop(name, None)
    for name in ("client_features", "split_tunnel_regions", "upstream_proxy_custom_header_names"):
        free.pop(name, None)
    return {**free, "client_features": [text], **BASE}


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_what_clients_say_names_nobody(server: MemoryServer, tmp_path: Path, spelling: str) -> None:
    said = everything(spelling)
    tunnel = make_tunnel(server.entry)
    await tunnel.connect()
    assert await say(tunnel, "handshake", said)
    assert await say(tunnel, "connected", {**said, "last_connected": "None"})
    failed = {**said, "last_connected": "None", "client_failed_timestamp": "2026-01-01T00:00:00Z"}
    downloaded = {**said, "client_download_timestamp": "2026-01-01T00:00:00Z"}
    report = {"failed_tunnel_stats": [failed], "remote_server_list_stats": [downloaded]}
    assert await say(tunnel, "status", {**said, "statusData": report})
    figures = server.worker.snapshot()
    tunnel.abort()
    server.probe().arrive(spelling.encode() * 10_000)
    await settle()
    text = (tmp_path / "events.log").read_text()
    names = {json.loads(line)["event_name"] for line in text.splitlines()}
    assert names == {
        "failed_tunnel",
        "irregular_tunnel",
        "remote_server_list",
        "server_tunnel",
        "unique_user",
    }
    told = text + msgspec.json.encode(figures).decode() + page(figures + server.worker.snapshot())
    for secret in (ADDRESS, ADDRESS_6, SESSION, "192.0.2"):
        assert secret not in told


def page(snapshot: Snapshot) -> str:
    async def figures() -> Snapshot:
        return snapshot

    return MetricsPage(figures, 0).metrics(snapshot, "")[2].decode()


async def test_clients_make_up_no_counters(server: MemoryServer) -> None:
    before = set(server.worker.snapshot().counts)
    for number in range(20):
        tunnel = make_tunnel(server.entry)
        await tunnel.connect()
        await say(tunnel, f"made-up-{number}", {})
        await say(tunnel, "handshake", {**BASE, "client_platform": f"made up {number}"[:8]})
        tunnel.abort()
        server.probe().arrive(bytes([number]) * 100_000)
        await settle()
    made = {name.split(".")[0] for name in set(server.worker.snapshot().counts) - before}
    of_clients = {"accepted", "api", "bytes", "closed", "event", "forward", "handshake_failed", "tunnel"}
    assert made <= of_clients | {"stranger"}
    assert len(server.worker.snapshot().counts) < 30


async def test_a_flood_of_strangers_fills_no_disk(server: MemoryServer, tmp_path: Path) -> None:
    for _ in range(500):
        server.probe().arrive(bytes(100_000))
    assert server.worker.counts["stranger.no_terminator"] == 500
    most = server.worker.shared.config.irregular_tunnels_per_minute
    assert len((tmp_path / "events.log").read_text().splitlines()) == most < 500


texts = (
    st.text() | st.sampled_from(SPELLINGS) | st.builds("{}{}".format, st.text(), st.sampled_from(SPELLINGS))
)
values = st.recursive(
    texts | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(texts, values, max_size=3))
def test_no_address_gets_through_whatever_an_event_is_made_of(fields: dict[str, object]) -> None:
    line = EventLog().line("failed_tunnel", fields).decode()
    assert ADDRESS not in line and ADDRESS_6 not in line
    assert line.count("\n") == 1
    assert json.loads(line)["event_name"] == "failed_tunnel"


def test_a_line_is_bounded_whatever_clients_say() -> None:
    said = everything("x" * 100_000)
    assert len(EventLog().line("failed_tunnel", said)) < (len(said) + 10) * (MAX_TEXT + 50)
