"""What each file that an operator publishes does to the deployed programs, beyond that they start with it.

HEADRACE_PSIPHOND, HEADRACE_CONSOLE_CLIENT   where the programs are; without them these tests are skipped

That they do start, and find one another, is in `test_reference_network`.
"""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.test_network import Network, client
from tests.e2e.test_quickstart import stored
from tests.interop.programs import Program, curl, running
from tests.interop.reference import console_client, reference
from tests.interop.test_reference_lists import fetch_through, infos
from tests.interop.test_reference_network import FOR_PSIPHOND, bundle
from tests.osl_configs import scheme, spec

from headrace.documents.entry_fields import diagnostic_id
from headrace.documents.server_files import CONFIG_FILE, PSINET_FILE, TRAFFIC_RULES_FILE
from headrace.network.strategy.roles import Role
from headrace.testing.origin import PAGE, Origin
from headrace.testing.storage import Storage

pytestmark = [pytest.mark.reference, pytest.mark.timeout(120)]

HOME_PAGE = "https://home.example/?client_region=XX"
BLOCKED = "127.0.0.77"
RATE = 54_321_000
CARRIED = 10_000  #: bytes after which a client has earned an obfuscated list


@pytest.fixture
async def storage() -> AsyncIterator[Storage]:
    """Where lists are published."""
    async with Storage() as storage:
        yield storage


@pytest.fixture
async def network(tmp_path: Path, storage: Storage) -> AsyncIterator[Network]:
    """A network with three servers in each role, and with a setting for each file of a host."""
    network = await asyncio.to_thread(Network, tmp_path / "network", storage, HOME_PAGE)
    with network.book.change("ann", "test") as change:
        settings = change.settings
        settings.server_settings = {**settings.server_settings, **FOR_PSIPHOND}
        rates = {"ReadBytesPerSecond": RATE, "WriteBytesPerSecond": RATE + 1}
        settings.traffic_rules = {"DefaultRules": {"RateLimits": rates}, "FilteredRules": []}
        parameters = {"ServerDiscoveryStrategy": "classic"}
        tactics = {"TTL": "1m", "Probability": 1.0, "Parameters": parameters}
        settings.tactics = {"DefaultTactics": tactics}
        settings.blocklist = f"{BLOCKED},a source,a subject\n"
        (channel,) = settings.osl_schemes[0]["PropagationChannelIDs"]
        settings.osl_schemes = [
            scheme(spec(down=CARRIED), MasterKey="master", PropagationChannelIDs=[channel])
        ]
        settings.client_settings = {
            **settings.client_settings,
            "EmitDiagnosticNotices": True,
            "EmitSLOKs": True,
        }
    await asyncio.to_thread(network.publish)
    yield network
    network.book.close()


def known_to(child: Program, network: Network, role: Role) -> list[str]:
    """Return the tags of servers in a role that the deployed client says it has taken up."""
    said = infos(child)
    return [tag for _, tag, _ in network.servers(role) if f"updated server {diagnostic_id(tag)}" in said]


def fetched(storage: Storage) -> set[str]:
    """Return the names of the objects that were fetched, whole or in parts."""
    return {request.path.rpartition("/")[2] for request in storage.requests if request.status in (200, 206)}


def logged(server: Program, **fields: object) -> list[dict[str, Any]]:
    """Return the lines of the server's log that have these fields."""
    lines = [json.loads(line) for line in server.lines if line.startswith("{")]
    return [line for line in lines if fields.items() <= line.items()]


async def test_their_server_does_what_each_file_of_its_host_says(
    network: Network, origin: Origin, tmp_path: Path
) -> None:
    program = reference("HEADRACE_PSIPHOND")
    (permanent, *_) = network.servers(Role.PERMANENT)
    directory = network.directory / "hosts" / permanent[2]
    async with running(program, "-config", directory / CONFIG_FILE, "run", directory=directory) as server:
        await server.says('"msg":"running"')
        async with client(tmp_path / "client", network.bundle) as (ours, port):
            proxy = ("--proxy", f"http://127.0.0.1:{port}")
            page = json.loads(await ours.says('"noticeType":"Homepage"'))
            rates = json.loads(await ours.says('"noticeType":"TrafficRateLimits"'))
            assert await curl(*proxy, origin.url(), directory=tmp_path) == PAGE
            await curl(*proxy, origin.url(f"/bytes/{2 * CARRIED}"), directory=tmp_path)
            await ours.says('"noticeType":"SLOKSeeded"')
            async with Origin(host=BLOCKED) as elsewhere:
                with pytest.raises(AssertionError, match="curl"):
                    await curl(*proxy, elsewhere.url(), directory=tmp_path)
            assert elsewhere.connections == 0
        await server.says('"event_name":"server_tunnel"')
    assert page["data"]["url"] == "https://home.example/?client_region=None"
    assert rates["data"]["downstreamBytesPerSecond"] == RATE + 1
    assert rates["data"]["upstreamBytesPerSecond"] == RATE
    assert logged(server, msg="reloaded discovery", discovery_strategy="classic")
    assert logged(server, event_name="server_blocklist_hit")
    assert logged(server, level="warning") == logged(server, level="error") == []
    known = stored(tmp_path / "client", "SELECT address FROM entry")
    assert len(known & {address for address, _, _ in network.servers(Role.DISCOVERY)}) == 1


async def test_their_server_reads_again_what_is_published_again(network: Network, tmp_path: Path) -> None:
    program = reference("HEADRACE_PSIPHOND")
    (permanent, *_) = network.servers(Role.PERMANENT)
    directory = network.directory / "hosts" / permanent[2]
    async with running(program, "-config", directory / CONFIG_FILE, "run", directory=directory) as server:
        await server.says('"msg":"running"')
        with network.book.change("ann", "test") as change:
            change.sponsor("example").home_pages = {"None": ["https://other.example/"]}
            rates = {"ReadBytesPerSecond": 2 * RATE, "WriteBytesPerSecond": 2 * RATE}
            change.settings.traffic_rules = {"DefaultRules": {"RateLimits": rates}, "FilteredRules": []}
        await asyncio.to_thread(network.publish)
        before = len(server.lines)
        os.kill(server.process.pid, signal.SIGUSR1)
        changed = {PSINET_FILE, TRAFFIC_RULES_FILE}
        for file in changed:
            await server.says(f'"reloaded":true,"reloader":"{file}"', before)
        async with client(tmp_path / "client", network.bundle) as (ours, _):
            page = json.loads(await ours.says('"noticeType":"Homepage"'))
            limits = json.loads(await ours.says('"noticeType":"TrafficRateLimits"'))
    assert page["data"]["url"] == "https://other.example/"
    assert limits["data"]["downstreamBytesPerSecond"] == 2 * RATE
    assert {line["reloader"] for line in logged(server, reloaded=True)} == changed
    assert logged(server, level="warning") == logged(server, level="error") == []


async def test_their_client_takes_up_all_that_is_offered_to_it(
    network: Network, storage: Storage, origin: Origin, tmp_path: Path
) -> None:
    """It comes in by a bundle, is told of a server, fetches the lists, and earns an obfuscated one."""
    reference("HEADRACE_CONSOLE_CLIENT")
    settings, entries = bundle(network)
    embedded = tmp_path / "entries"
    embedded.write_text("\n".join(entries))
    (permanent, *_) = network.servers(Role.PERMANENT)
    fetching = {
        "DisableRemoteServerListFetcher": False,
        "FetchRemoteServerListRetryPeriodMilliseconds": 100,
        "EstablishTunnelPausePeriodSeconds": 1,
    }
    both = {**settings, **fetching}
    async with network.running(permanent):
        running_client = console_client(tmp_path / "client", "OSSH", both, "-serverList", embedded)
        async with running_client as (program, port):
            page = json.loads(await program.says('"noticeType":"Homepage"'))
            await fetch_through(port, origin)
            await program.says('"noticeType":"SLOKSeeded"')
            for _, tag, _ in network.servers(Role.OSL):
                await program.says(f"updated server {diagnostic_id(tag)}")
            assert len(known_to(program, network, Role.DISCOVERY)) == 1
            assert [text for text in infos(program) if "failed to fetch" in text] == []
            assert [text for text in infos(program) if "signature" in text.lower()] == []
    assert page["data"]["url"] == "https://home.example/?client_region=None"
    assert "osl-registry" in fetched(storage)


async def test_their_client_reaches_a_server_that_is_in_a_published_list_only(
    network: Network, storage: Storage, tmp_path: Path
) -> None:
    reference("HEADRACE_CONSOLE_CLIENT")
    settings, _ = bundle(network)
    # With servers that it cannot reach it would try for a minute before it fetches.
    fetching = {**settings, "DisableRemoteServerListFetcher": False}
    (propagation, *_) = network.servers(Role.PROPAGATION)
    async with network.running(propagation):
        running_client = console_client(tmp_path / "client", "OSSH", fetching)
        async with running_client as (program, _):
            active = json.loads(await program.says('"noticeType":"ActiveTunnel"'))
            assert active["data"]["diagnosticID"] == diagnostic_id(propagation[1])
            tags = {tag for _, tag, _ in network.servers(Role.PROPAGATION)}
            assert set(known_to(program, network, Role.PROPAGATION)) == tags
            assert known_to(program, network, Role.OSL) == []
    assert "server_list_compressed" in fetched(storage)
