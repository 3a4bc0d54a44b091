"""What an operator publishes, with the deployed programs: their client on our servers, our client on theirs.

HEADRACE_PSIPHOND, HEADRACE_CONSOLE_CLIENT   where the programs are; without them these tests are skipped
"""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.e2e.test_network import Network, client
from tests.e2e.test_quickstart import stored
from tests.interop.programs import running
from tests.interop.reference import console_client, reference

from headrace.documents.server_files import CONFIG_FILE
from headrace.network.strategy.roles import Role
from headrace.testing.origin import Origin
from headrace.testing.storage import Storage

pytestmark = [pytest.mark.reference, pytest.mark.timeout(180)]

#: What psiphond needs on a machine that is cut off.
FOR_PSIPHOND = {
    "DNSResolverIPAddress": "127.0.0.1",
    "LoadMonitorPeriodSeconds": 0,
    "SkipPanickingLogWriter": True,
}


@pytest.fixture
async def storage() -> AsyncIterator[Storage]:
    """Where lists are published."""
    async with Storage() as storage:
        yield storage


@pytest.fixture
async def network(tmp_path: Path, origin: Origin, storage: Storage) -> AsyncIterator[Network]:
    """A network with three servers in each role, published once."""
    network = await asyncio.to_thread(Network, tmp_path / "network", storage, origin.url())
    with network.book.change("ann", "test") as change:
        change.settings.server_settings = {**change.settings.server_settings, **FOR_PSIPHOND}
    await asyncio.to_thread(network.publish)
    yield network
    network.book.close()


def bundle(network: Network) -> tuple[dict[str, object], list[str]]:
    """Return the configuration of a client, and the entries that are built in."""
    fields = json.loads(network.bundle.read_bytes())
    return fields, fields.pop("EmbeddedServerEntryList")


async def test_their_client_starts_with_a_bundle_of_ours(network: Network, tmp_path: Path) -> None:
    reference("HEADRACE_CONSOLE_CLIENT")
    settings, entries = bundle(network)
    known = tmp_path / "entries"
    known.write_text("\n".join(entries))
    (permanent, *_) = network.servers(Role.PERMANENT)
    async with network.running(permanent):
        words = ("-serverList", known)
        async with console_client(tmp_path / "client", "OSSH", settings, *words) as (program, _):
            await program.says('"noticeType":"Homepage"')


async def test_their_client_finds_servers_in_our_lists(
    network: Network, storage: Storage, tmp_path: Path
) -> None:
    reference("HEADRACE_CONSOLE_CLIENT")
    settings, _ = bundle(network)
    fetching = {"DisableRemoteServerListFetcher": False}
    (_, _, permanent) = network.servers(Role.PERMANENT)
    async with network.running(permanent):
        async with console_client(tmp_path / "client", "OSSH", {**settings, **fetching}) as (program, _port):
            await program.says('"noticeType":"Homepage"')
    asked = {request.path.rpartition("/")[2] for request in storage.requests if request.status in (200, 206)}
    assert "server_list_compressed" in asked


async def test_their_server_runs_on_our_files_and_tells_our_client_of_the_network(
    network: Network, tmp_path: Path
) -> None:
    program = reference("HEADRACE_PSIPHOND")
    (permanent, *_) = network.servers(Role.PERMANENT)
    directory = network.directory / "hosts" / permanent[2]
    words = ("-config", directory / CONFIG_FILE, "run")
    async with running(program, *words, directory=directory) as server:
        await server.says('"msg":"running"')
        async with client(tmp_path / "client", network.bundle) as (ours, _):
            await ours.says('"noticeType":"Homepage"')
    known = stored(tmp_path / "client", "SELECT address FROM entry")
    assert known & {address for address, _, _ in network.servers(Role.DISCOVERY)}
