"""A network from an empty directory to its first client, with nothing that the two do not publish and run.

Some servers run; the others are there to be told of.
"""

import asyncio
import json
import sys
import tempfile
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from tests.e2e.test_quickstart import HEADRACE, stored
from tests.interop.programs import Program, complete, curl, run, running, unused_port
from tests.osl_configs import scheme, spec
from tests.processes import FOR_TESTS, TUNNELS

from headrace import __version__
from headrace.base.rng import SYSTEM_RNG
from headrace.cli.network.publishing import tell_server
from headrace.documents.psinet import TAGS_TRUSTED, Psinet, read_psinet
from headrace.documents.server_files import CONFIG_FILE
from headrace.network.book import Book
from headrace.network.bundles.archive import make_archive, pack_base
from headrace.network.bundles.source import BUNDLE_FILE
from headrace.network.bundles.source import SOURCE as BUNDLES
from headrace.network.custody import add_key
from headrace.network.exports.forbidden import leaks
from headrace.network.lifecycle.brands import add_campaign, add_channel, add_provider, add_sponsor
from headrace.network.lifecycle.creation import Machine, create_server, record_test
from headrace.network.lifecycle.standing import drain, remove, restore
from headrace.network.model import LOCAL, Server
from headrace.network.publish.places import Places
from headrace.network.publish.publishing import publish
from headrace.network.publish.sources import SOURCES
from headrace.network.publish.stores.directory import DirectoryStore
from headrace.network.publish.stores.hosts import LocalHosts
from headrace.network.publish.stores.stored import StoredObject
from headrace.network.rendering.network import NetworkRendering
from headrace.network.signing.kinds import Purpose
from headrace.network.signing.making import make_key
from headrace.network.strategy.roles import Role
from headrace.network.vault import passphrase_key
from headrace.server.control_client import find_server
from headrace.ssh.host_keys import HostKey
from headrace.testing.origin import PAGE, Origin
from headrace.testing.storage import Storage

pytestmark = pytest.mark.timeout(180)

ROLES = (Role.PERMANENT, Role.PROPAGATION, Role.DISCOVERY, Role.OSL)
EACH = 3
NOW = 1_800_000_000.0


class ObjectStore:
    """An object store in this process, which gives out over HTTP what is put into it."""

    def __init__(self, storage: Storage) -> None:
        self.objects: dict[str, bytes] = {}
        self._storage = storage

    def put(self, item: StoredObject) -> None:
        self.objects[item.name] = item.data
        self._storage.put(f"/{item.name}", item.data)

    def get(self, name: str) -> bytes | None:
        return self.objects.get(name)

    def digest(self, name: str) -> str | None:
        data = self.objects.get(name)
        return None if data is None else StoredObject(name, data).sha256

    def delete(self, name: str) -> None:
        if self.objects.pop(name, None) is not None:
            self._storage.delete(f"/{name}")

    def names(self, prefix: str = "") -> Iterator[str]:
        yield from [name for name in self.objects if name.startswith(prefix)]


class Network:
    """A network of servers in each role, published."""

    def __init__(self, directory: Path, storage: Storage, home_page: str, url: str = "") -> None:
        self.directory = directory
        self.store = ObjectStore(storage)
        self.places = Places(
            store=self.store,
            hosts=LocalHosts(directory / "hosts"),
            exports=DirectoryStore(directory / "extracts"),
            bundles=DirectoryStore(directory / "bundles"),
        )
        key = passphrase_key("long enough", cost=2)
        self.book = Book.create(url or str(directory / "network.db"), key, "test")
        with self.book.change("ann", "set up") as change:
            for purpose in (Purpose.LISTS, Purpose.ENTRIES, Purpose.EXCHANGE, Purpose.DISCOVERY):
                add_key(change, make_key(purpose, SYSTEM_RNG, bits=2048))
            add_key(change, make_key(Purpose.OSL, SYSTEM_RNG, name="master"))
            add_provider(change, LOCAL)
            channel = add_channel(change, "web")
            sponsor = add_sponsor(change, "example", home_pages={"None": [home_page]})
            self.bucket = add_campaign(change, sponsor, channel).bucket_id
            settings = change.settings
            settings.public_urls = [storage.url().rstrip("/")]
            settings.server_settings = dict(FOR_TESTS)
            settings.osl_schemes = [
                scheme(spec(), MasterKey="master", PropagationChannelIDs=[channel.public_id])
            ]
            settings.client_settings = {"EstablishTunnelWorkTimeSeconds": 1.0}
            number = 0
            for role in ROLES:
                for _ in range(EACH):
                    number += 1
                    machine = Machine(address=f"127.0.1.{number}", region="DE")
                    ports = {"OSSH": unused_port()}
                    host_key = HostKey.generate("ed25519")
                    server = create_server(change, channel, machine, role, ports=ports, host_key=host_key)
                    record_test(change, server, [])
                    if role is Role.DISCOVERY:
                        server.discovery_start = change.now

    def publish(self) -> None:
        outcome = publish(self.book, NetworkRendering, self.places, sources=(*SOURCES, BUNDLES))
        assert outcome.complete, outcome

    def servers(self, role: str) -> list[tuple[str, str, str]]:
        """Return the servers in a role: address, tag, name of the host."""
        tests = {
            Role.PERMANENT: Server.is_permanent.is_(True),
            Role.PROPAGATION: Server.is_embedded.is_(True),
            Role.DISCOVERY: Server.discovery_start.is_not(None),
            Role.OSL: Server.osl_start.is_not(None),
        }
        with self.book.view() as view:
            return [
                (server.address, server.tag, server.host.name) for server in view.servers(tests[Role(role)])
            ]

    @asynccontextmanager
    async def running(self, *servers: tuple[str, str, str]) -> AsyncIterator[None]:
        """Run servers out of the files of their hosts."""
        async with AsyncExitStack() as stack:
            programs = []
            for address, _, host in servers:
                directory = self.directory / "hosts" / host
                words = ("server", "run", "--config", str(directory / CONFIG_FILE), "--listen", address)
                program = running(*HEADRACE, *words, "--workers", "1", directory=directory)
                programs.append(await stack.enter_async_context(program))
            for each in programs:
                await each.says("OSSH on port")
            yield

    @property
    def bundle(self) -> Path:
        """The bundle of the only campaign."""
        return self.directory / "bundles" / self.bucket / BUNDLE_FILE


@asynccontextmanager
async def client(directory: Path, bundle: Path, *options: str) -> AsyncIterator[tuple[Program, int]]:
    """Run a client that has nothing but a bundle; with the port of its HTTP proxy."""
    directory.mkdir(exist_ok=True)
    words = ("client", "--config", str(bundle), "--data-root-directory", str(directory), *options)
    async with running(*HEADRACE, *words, directory=directory) as program:
        port = json.loads(await program.says('"ListeningHttpProxyPort"'))["data"]["port"]
        await program.says(TUNNELS.format(1))
        yield program, port


@pytest.fixture
async def network(origin: Origin) -> AsyncIterator[Network]:
    """A network with three servers in each role, published once."""
    async with Storage() as storage:
        # Sockets of servers are in it, whose paths cannot be long.
        with tempfile.TemporaryDirectory(prefix="net-") as directory:
            network = await asyncio.to_thread(Network, Path(directory), storage, origin.url())
            await asyncio.to_thread(network.publish)
            yield network
            network.book.close()


async def test_a_client_with_only_the_bundle_gets_everything(
    network: Network, origin: Origin, tmp_path: Path
) -> None:
    permanent, discovery = network.servers(Role.PERMANENT), network.servers(Role.DISCOVERY)
    async with network.running(permanent[0]):
        async with client(tmp_path / "client", network.bundle) as (program, port):
            page = json.loads(await program.says('"noticeType":"Homepage"'))
            assert page["data"]["url"]
            body = await curl("--proxy", f"http://127.0.0.1:{port}", origin.url(), directory=tmp_path)
            assert body == PAGE
        known = stored(tmp_path / "client", "SELECT address FROM entry")
    assert {address for address, _, _ in permanent} <= known
    assert known & {address for address, _, _ in discovery}
    assert not known & {address for address, _, _ in network.servers(Role.OSL)}


async def test_with_every_known_server_blocked_the_lists_lead_to_others(
    network: Network, tmp_path: Path
) -> None:
    propagation = network.servers(Role.PROPAGATION)
    async with network.running(propagation[1]), client(tmp_path / "client", network.bundle):
        pass
    known = stored(tmp_path / "client", "SELECT address FROM entry")
    assert {address for address, _, _ in propagation} <= known
    fetched = {url.rpartition("/")[2] for url in stored(tmp_path / "client", "SELECT url FROM etag")}
    assert {"server_list_compressed", "osl-registry"} <= fetched


async def test_a_removed_server_is_nowhere_any_more_after_one_publication(network: Network) -> None:
    await _removed_everywhere(network)


async def test_the_same_goes_for_a_network_in_postgresql(tmp_path: Path, postgresql_url: str) -> None:
    async with Storage() as storage:
        network = await asyncio.to_thread(
            Network, tmp_path / "network", storage, "https://example.org/", postgresql_url
        )
        await asyncio.to_thread(network.publish)
        await _removed_everywhere(network)
        network.book.close()


async def _removed_everywhere(network: Network) -> None:
    (_, _, (gone, tag, host)) = network.servers(Role.PERMANENT)
    files = [
        path.relative_to(network.directory) for path in (network.directory / "hosts").glob("*/psinet.json")
    ]
    assert all(read(network, file).is_valid_tag(tag, NOW) for file in files)
    with network.book.change("ann", "remove") as change:
        remove(change, change.server(tag))
    await asyncio.to_thread(network.publish)
    assert not (network.directory / "hosts" / host).exists()
    left = [file for file in files if file.parent.name != host]
    assert len(left) == len(files) - 1
    for file in left:
        assert not read(network, file).is_valid_tag(tag, NOW)
        # Clients delete what a server says is gone, and one whose data is old says it of none.
        assert read(network, file).is_valid_tag(tag, NOW + TAGS_TRUSTED + 1)
    published = [*network.store.objects.values(), network.bundle.read_bytes()]
    published += [path.read_bytes() for path in (network.directory / "hosts").rglob("*.*") if path.is_file()]
    forbidden = {gone: "the address", tag: "the tag"}
    assert [leaks(data, forbidden) for data in published] == [[]] * len(published)


def read(network: Network, file: Path) -> Psinet:
    """Return psinet data as a server has it that was given it now."""
    return read_psinet((network.directory / file).read_bytes(), str(file), NOW)


async def test_a_client_in_one_file_needs_a_bare_python_only(network: Network, tmp_path: Path) -> None:
    file = tmp_path / "headrace-web.pyz"
    base = await asyncio.to_thread(pack_base)
    file.write_bytes(make_archive(base, network.bundle.read_bytes()))
    bare = (sys._base_executable, "-I", "-S", str(file))  # type: ignore[attr-defined]
    version = await complete(*bare, "--version", directory=tmp_path, patience=60)
    assert __version__ in version.decode()
    assert file.read_bytes() == make_archive(base, network.bundle.read_bytes())
    (permanent, *_) = network.servers(Role.PERMANENT)
    async with network.running(permanent), running(*bare, "client", directory=tmp_path) as program:
        await program.says(TUNNELS.format(1))
    assert permanent[0] in stored(tmp_path / ".local", "SELECT address FROM entry")


async def test_a_client_in_one_file_says_where_it_runs(network: Network, tmp_path: Path) -> None:
    file = tmp_path / "client.pyz"
    file.write_bytes(make_archive(await asyncio.to_thread(pack_base), network.bundle.read_bytes()))
    with zipfile.ZipFile(file) as archive:
        about = json.loads(archive.read("platform.json"))
    foreign = tmp_path / "foreign.pyz"
    with zipfile.ZipFile(foreign, "w") as archive, zipfile.ZipFile(file) as source:
        archive.writestr("__main__.py", source.read("__main__.py"))
        archive.writestr("platform.json", json.dumps({**about, "platform": "plan9-mips"}))
    refused = await run(sys._base_executable, "-I", "-S", foreign, directory=tmp_path)  # type: ignore[attr-defined]
    assert refused.returncode == 2
    assert b"this file was made for" in refused.stderr
    assert b"headrace connect LINK" in refused.stderr


async def test_a_draining_server_takes_no_new_clients_until_it_is_restored(
    network: Network, tmp_path: Path
) -> None:
    (permanent, *_) = network.servers(Role.PERMANENT)
    directory = network.directory / "hosts" / permanent[2]

    async def state() -> list[str]:
        server = await asyncio.to_thread(find_server, directory)
        assert server is not None
        with server:
            return (await asyncio.to_thread(server.status)).paused

    async with network.running(permanent):
        for move, expected in ((drain, ["operator"]), (restore, [])):
            with network.book.change("ann", "test") as change:
                move(change.server(permanent[1]))
            await asyncio.to_thread(network.publish)
            await asyncio.to_thread(tell_server, directory)
            assert await state() == expected
