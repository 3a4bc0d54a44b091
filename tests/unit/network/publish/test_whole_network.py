"""A network as it is, rendered as it is, published to directories."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete
from tests.package_keys import KEY
from tests.unit.network.networks import build_network

from headrace.documents.psinet import read_psinet
from headrace.documents.server_entry import ServerEntry
from headrace.documents.signed_package import open_package
from headrace.network.book import Book
from headrace.network.model import Host, Published, Server
from headrace.network.publish.outcome import Outcome
from headrace.network.publish.places import Places
from headrace.network.publish.publishing import plan_for, publish
from headrace.network.publish.stores.directory import DirectoryStore
from headrace.network.publish.stores.hosts import LocalHosts
from headrace.network.rendering.network import NetworkRendering


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    """Two channels with two servers in each role."""
    with build_network(tmp_path) as book:
        yield book


def publish_to(book: Book, root: Path) -> Outcome:
    places = Places(
        DirectoryStore(root / "store"), LocalHosts(root / "hosts"), DirectoryStore(root / "exports")
    )
    return publish(book, NetworkRendering, places)


def files(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(root).parts)
    }


def test_a_network_is_published_whole_and_then_is_as_it_ought_to_be(book: Book, tmp_path: Path) -> None:
    outcome = publish_to(book, tmp_path / "out")
    assert outcome.failed == outcome.waiting == []
    with book.view() as view:
        plan = plan_for(view, NetworkRendering(view))
        assert (len(plan), plan.current) == (0, outcome.published)


def test_what_is_made_anew_is_the_same_to_the_byte(book: Book, tmp_path: Path) -> None:
    publish_to(book, tmp_path / "one")
    with book.write() as session:
        session.execute(delete(Published))
        session.commit()
    publish_to(book, tmp_path / "other")
    assert files(tmp_path / "one") == files(tmp_path / "other")


def test_servers_and_clients_can_read_it(book: Book, tmp_path: Path) -> None:
    publish_to(book, tmp_path)
    with book.view() as view:
        hosts = [host.name for host in view.all(Host)]
        addresses = {server.address for server in view.all(Server)}
    for name in hosts:
        psinet = read_psinet((tmp_path / "hosts" / name / "psinet.json").read_bytes())
        assert psinet.discovery_servers
    lists = list((tmp_path / "store").rglob("server_list_compressed"))
    assert lists
    for path in lists:
        with path.open("rb") as file:
            entries = [ServerEntry.decode(line) for line in open_package(file, KEY.public).lines()]
        assert entries
        assert {entry.ip_address for entry in entries} <= addresses


def test_a_change_of_one_server_leaves_other_hosts_alone(book: Book, tmp_path: Path) -> None:
    publish_to(book, tmp_path)
    before = files(tmp_path / "hosts")
    with book.change("ann", "change port") as change:
        server = next(server for server in change.servers() if server.is_permanent)
        server.ssh_port, host = 2022, server.host.name
    assert publish_to(book, tmp_path).complete
    after = files(tmp_path / "hosts")
    assert {name.split("/")[0] for name in after if before.get(name) != after[name]} == {host}
