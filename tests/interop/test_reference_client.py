"""A whole client of ours with the deployed server: what it reports, tests, remembers, and how it takes turns.

    HEADRACE_PSIPHOND             where the program is; without it these tests are skipped

Tunnels as such, and every algorithm, are in `test_reference`.
"""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.certificates import Authority
from tests.e2e.storage import web_server
from tests.e2e.test_lists import CONNECTED, client, connected_to, end, fetching, package, told, works
from tests.interop.ours import our_client
from tests.interop.programs import Program
from tests.interop.reference import psiphond, running_psiphond

from headrace.documents.entry_fields import encode_fields
from headrace.documents.server_entry import ServerEntry
from headrace.testing.dead_ends import refusing
from headrace.testing.entries import make_entries
from headrace.testing.origin import Origin

pytestmark = [pytest.mark.reference, pytest.mark.timeout(90)]


def logged(server: Program, event: str) -> list[dict[str, Any]]:
    """Return what the server has logged of an event so far."""
    lines = [json.loads(line) for line in server.lines if line.startswith("{")]
    return [line for line in lines if line.get("event_name") == event]


@pytest.mark.parametrize("encoding", ["cbor", "json"])
async def test_their_server_takes_every_report(encoding: str, tmp_path: Path, origin: Origin) -> None:
    """Handshake, connected, and at the end a status with statistics of a failed dial and a fetched list."""
    authority = Authority(tmp_path / "authority")
    (tmp_path / "client").mkdir()
    with web_server(tmp_path / "nginx", authority) as storage, refusing() as closed:
        path = f"{storage.prefix()}/server_list_compressed"
        storage.put(path, package(*make_entries(3, first=10, capabilities=["QUIC"])))
        (dead,) = make_entries(1, port=closed, capabilities=["OSSH", "ssh-api-requests"])
        async with running_psiphond(tmp_path / "server") as (server, entry):
            settings = fetching(
                authority,
                storage.url(path, host="127.0.0.1"),
                EmbeddedServerEntryList=[encode_fields(entry), encode_fields(dead)],
                TargetAPIEncoding=encoding,
            )
            async with client(tmp_path / "client", **settings) as child:
                await child.says("Connection refused")
                await child.says(CONNECTED)
                await works(child, origin)
                await child.says("imported 3 server entries from REMOTE")
                assert await end(child) == 0
            await server.says('"event_name":"server_tunnel"')
    (failed,) = logged(server, "failed_tunnel")
    assert failed["tunnel_error"] == "Connection refused"
    assert failed["server_entry_tag"] == dead["tag"]
    assert not failed["session_id"]
    (fetched,) = logged(server, "remote_server_list")
    assert fetched["authenticated"] is True and fetched["tunneled"] is True and fetched["bytes"] > 1000
    (user,) = logged(server, "unique_user")
    assert user["last_connected"] == "None"
    (tunnel,) = logged(server, "server_tunnel")
    assert tunnel["relay_protocol"] == "OSSH" and tunnel["is_replay"] is False
    assert int(tunnel["establishment_duration"]) >= 0 and int(tunnel["dial_duration"]) >= 0
    problems = [json.loads(line) for line in server.lines if '"level":"warning"' in line or "dropped" in line]
    assert problems == []


async def test_a_liveness_test_with_their_server(tmp_path: Path, origin: Origin) -> None:
    up, down = 200_000, 300_000
    settings = {
        "LivenessTestMinUpstreamBytes": up,
        "LivenessTestMaxUpstreamBytes": up,
        "LivenessTestMinDownstreamBytes": down,
        "LivenessTestMaxDownstreamBytes": down,
        "EmitDiagnosticNetworkParameters": True,
    }
    async with psiphond(tmp_path / "server") as entry, our_client(entry, "OSSH", **settings) as (_, said):
        notices = [json.loads(line) for line in said.getvalue().splitlines()]
    (test,) = (notice["data"] for notice in notices if notice["noticeType"] == "LivenessTest")
    assert test["success"] is True
    metrics = test["metrics"]
    assert (metrics["SentUpstreamBytes"], metrics["ReceivedDownstreamBytes"]) == (up, down)


@pytest.mark.parametrize("protocol", ["OSSH", "SSH"])
async def test_what_worked_with_their_server_works_again(
    protocol: str, tmp_path: Path, origin: Origin
) -> None:
    """The second run, from the same data directory, does as the first did; no replay to the server's eyes."""
    (tmp_path / "client").mkdir()
    async with running_psiphond(tmp_path / "server") as (server, entry):
        settings = {
            "EmbeddedServerEntryList": [encode_fields(entry)],
            "LimitTunnelProtocols": [protocol],
            "NetworkID": "WIFI-loopback",
            "ReplayTargetTunnelDurationSeconds": 0,
            "EmitBytesTransferred": True,
        }
        for replayed in (False, True, True):
            before = len(server.lines)
            async with client(tmp_path / "client", **settings) as child:
                await child.says(CONNECTED)
                assert [data["isReplay"] for data in told(child, "ConnectingServer")] == [replayed]
                await works(child, origin)
                await child.says('"noticeType":"BytesTransferred"')  # when the tunnel has proved itself
                assert await end(child) == 0
            await server.says('"event_name":"server_tunnel"', before)
    tunnels = logged(server, "server_tunnel")
    assert [tunnel["is_replay"] for tunnel in tunnels] == [False, True, True]
    assert len({tunnel["ssh_client_version"] for tunnel in tunnels}) == 1
    assert not [line for line in server.lines if "irregular_tunnel" in line]


async def test_two_tunnels_to_two_of_their_servers(tmp_path: Path, origin: Origin) -> None:
    (tmp_path / "client").mkdir()
    async with (
        running_psiphond(tmp_path / "one", "127.0.0.2") as (one, first),
        running_psiphond(tmp_path / "two", "127.0.0.3") as (_, second),
    ):
        settings = {
            "EmbeddedServerEntryList": [encode_fields(first), encode_fields(second)],
            "TunnelPoolSize": 2,
        }
        async with client(tmp_path / "client", **settings) as child:
            await child.says('"count":2},"noticeType":"Tunnels"')
            for entry in (first, second):
                await connected_to(child, ServerEntry.from_fields(entry))
            for _ in range(10):
                await works(child, origin)
            before = len(child.lines)
            os.killpg(one.process.pid, signal.SIGKILL)
            await child.says('"count":1},"noticeType":"Tunnels"', before)
            for _ in range(3):
                await works(child, origin)
            assert await end(child) == 0
