"""After a revocation nothing that is made of any server has what was revoked (operations spec §9.3)."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.network.networks import build_network

from headrace.documents.psinet import read_psinet
from headrace.documents.server_entry import ServerEntry
from headrace.network.book import Book
from headrace.network.lifecycle.revoking import Guard, revoke
from headrace.network.model import Host
from headrace.network.rendering.network import NetworkRendering
from headrace.network.strategy.selector import Selector

_CHANNELS, _ROLES = 5, 4


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    """The book of a network of 500 servers."""
    place: Path = tmp_path_factory.mktemp("large")
    with build_network(place, servers_per_role=500 // _CHANNELS // _ROLES, channels=_CHANNELS) as book:
        yield book


def entries_of(book: Book) -> dict[str, ServerEntry]:
    """Return all entries that there are in files of hosts, by tag."""
    found = {}
    with book.view() as view:
        rendering = NetworkRendering(view)
        for host in view.all(Host):
            configuration = json.loads(rendering.host_files(host)["psiphond.config"])
            for tag, line in configuration["OwnEncodedServerEntries"].items():
                found[tag] = ServerEntry.decode(line)
                ports = {name: found[tag].dial_port(name) for name in configuration["TunnelProtocolPorts"]}
                assert configuration["TunnelProtocolPorts"] == ports
        for server in read_psinet(rendering.psinet(0)).discovery_servers:
            entry = ServerEntry.decode(server.encoded_entry)
            assert entry.fields == found[entry.effective_tag].fields
    return found


def test_what_was_revoked_is_in_no_entry_and_no_configuration_of_500_servers(large: Book) -> None:
    before = entries_of(large)
    assert len(before) == 500 and all(entry.supports("SSH") for entry in before.values())
    with large.change("ann", "test", dry_run=True) as change:
        started = time.perf_counter()
        plan = revoke(change, Selector(), ["SSH"], guard=Guard(100, 125))
        assert time.perf_counter() - started < 10
        assert [each.after for each in plan.channels.values()] == [500 // _CHANNELS] * _CHANNELS
        assert [each.after for each in plan.regions.values()] == [125] * 4
    with large.change("ann", "test") as change:
        revoke(change, Selector(), ["SSH"], guard=Guard(100, 125))
    after = entries_of(large)
    assert after.keys() == before.keys()
    for tag, entry in after.items():
        assert entry.configuration_version > before[tag].configuration_version
        assert "SSH" not in entry.capabilities and not entry.supports("SSH") and entry.ssh_port == 0
        assert entry.supports("OSSH")
