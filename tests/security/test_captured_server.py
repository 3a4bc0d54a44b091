"""Attack: somebody seizes a server, and looks in its directory for the rest of the network.

A network of ten servers, each a host of its own: as generated, with the psinet database that discovery gives
it, and after it has served. What is searched for is everything that any other server has.
"""

import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.e2e.test_server_processes import connected
from tests.processes import make_server, running_server

from headrace.discovery.extract import extract, pool_of
from headrace.discovery.servers import DiscoveryServer
from headrace.documents.server_entry import ServerEntry
from headrace.server.generate import CONFIG_FILE, ENTRY_FILE, generate_server
from headrace.ssh.host_keys import HostKey

NOW = 1_800_000_000.0
HOUR = 3600
PSINET_FILE = "psinet.json"
#: Hours from now in which clients may be told of each server, by its number: over, open, soon, much later.
RANGES = [(-50, -2), *[(-1, 100)] * 5, (40, 200), (47, 200), (49, 200), (300, 500)]


class Host(NamedTuple):
    """A server's directory, its entry, and what only it may have: its secrets beyond that."""

    directory: Path
    entry: ServerEntry
    private: list[str]
    server: DiscoveryServer


@pytest.fixture
def network(tmp_path: Path) -> list[Host]:
    """Ten servers, not yet told of one another."""
    hosts = []
    for number, (starts, ends) in enumerate(RANGES):
        directory = tmp_path / f"host {number}"
        generated = generate_server(
            ip=f"192.0.2.{number + 1}", protocols={"OSSH": 4000}, host_key=HostKey.generate("ed25519")
        )
        generated.write(directory)
        config = json.loads((directory / CONFIG_FILE).read_bytes())
        server = DiscoveryServer(
            NOW + starts * HOUR, NOW + ends * HOUR, config["ServerIPAddress"], generated.entry
        )
        hosts.append(Host(directory, ServerEntry.decode(generated.entry), private(config), server))
    return hosts


def private(config: dict[str, str]) -> list[str]:
    """Return what is in a configuration and not in the entry."""
    return [config["SSHPrivateKey"].split("\n")[1], config["HostID"]]


def in_entry(entry: ServerEntry) -> Iterator[str]:
    """Return what tells where a server is, or lets one in."""
    yield from (entry.ssh_password, entry.ssh_obfuscated_key, entry.ssh_host_key, entry.ssh_username)
    yield f'{entry.ip_address}"'.encode().hex()  # as encoded entries have it


def give_extracts(network: list[Host], pools: int = 1) -> None:
    for host in network:
        given = extract([other.server for other in network], NOW, host=host.entry.ip_address, pools=pools)
        servers = [
            {
                "discovery_date_range": [stamp(server.starts), stamp(server.ends)],
                "encoded_server_entry": server.encoded_entry,
            }
            for server in given
        ]
        tags = {other.entry.tag: True for other in network}
        (host.directory / PSINET_FILE).write_text(
            json.dumps({"discovery_servers": servers, "valid_server_entry_tags": tags})
        )


def stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def seized(host: Host) -> str:
    """Return all that is in a directory, names and contents."""
    texts = []
    for path in sorted(host.directory.rglob("*")):
        if path.is_file():
            texts += [path.name, path.read_bytes().decode("latin-1")]
    return "\n".join(texts)


def known_of(host: Host, network: list[Host]) -> set[int]:
    """Return the numbers of the other servers of which the directory tells anything that an entry has."""
    text = seized(host)
    text += bytes.fromhex("".join(entries_in(text))).decode("latin-1")
    return {
        number
        for number, other in enumerate(network)
        if other is not host and any(word in text for word in in_entry(other.entry))
    }


def entries_in(text: str) -> list[str]:
    """Return what may be encoded entries in a text."""
    return re.findall(r"(?:[0-9a-f]{2}){200,}", text)


def test_a_host_knows_the_servers_of_its_extract_and_nothing_else(network: list[Host]) -> None:
    give_extracts(network)
    for number, host in enumerate(network):
        assert known_of(host, network) == {1, 2, 3, 4, 5, 6, 7} - {number}


def test_with_pools_it_knows_those_of_its_own(network: list[Host]) -> None:
    give_extracts(network, pools=3)
    open_or_soon = {1, 2, 3, 4, 5, 6, 7}
    pools = [pool_of(host.entry.ip_address, 3) for host in network]
    assert len(set(pools)) == 3
    for number, host in enumerate(network):
        others = {other for other in open_or_soon if pools[other] == pools[number]} - {number}
        assert known_of(host, network) == others


def test_no_host_has_what_only_another_may_have(network: list[Host]) -> None:
    give_extracts(network)
    for host in network:
        text = seized(host)
        assert all(secret in text for secret in host.private), "the search finds nothing at all"
        for other in network:
            if other is not host:
                assert not [secret for secret in other.private if secret in text]


def test_control_a_host_with_another_hosts_entry_is_found_out(network: list[Host]) -> None:
    give_extracts(network)
    (network[0].directory / "old").write_text(network[9].server.encoded_entry)
    assert 9 in known_of(network[0], network)


async def test_serving_adds_nothing_but_seeds(tmp_path: Path) -> None:
    """A running server learns of no other: what it writes is its seed history, and its lock."""
    entry = ServerEntry.decode(make_server(tmp_path))
    before = set(os.listdir(tmp_path))
    async with running_server(tmp_path):
        for _ in range(3):
            tunnel = await connected(entry)
            tunnel.close()
        during = set(os.listdir(tmp_path)) - before
    after = set(os.listdir(tmp_path)) - before
    assert ENTRY_FILE in before
    assert {name.partition(".")[0] for name in during} <= {"seed-history", "control"}
    assert {name.partition(".")[0] for name in after} == {"seed-history"}
