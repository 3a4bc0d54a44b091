"""What a server makes of its discovery servers as time goes by, and what it keeps of who asked: nothing."""

import json
import pickle
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.server_files import configuration

from headrace.base.errors import DocumentError
from headrace.discovery.consistent import Consistent
from headrace.discovery.servers import DiscoveryServer
from headrace.discovery.strategy import STRATEGIES, Choose, make_strategy
from headrace.documents.entry_fields import encode_fields
from headrace.documents.server_config import read_server_config
from headrace.net.addresses import parse_address
from headrace.server.discovery import Discovery
from headrace.server.generate import TACTICS_FILE
from headrace.server.shared import Shared
from headrace.testing.entries import make_entries

EARLY = DiscoveryServer(0, 100, "192.0.2.1", "early")
LATE = DiscoveryServer(100, 200, "192.0.2.2", "late")
CLIENTS = [f"198.51.{number}.7" for number in range(40)]
SECRET = "the network's secret"
ENTRIES = list(make_entries(30))


class Counting(Consistent):
    """Counts how often it had to arrange the candidates."""

    arranged = 0

    def arrange(self, candidates: Sequence[DiscoveryServer]) -> Choose:  # type: ignore[override]
        Counting.arranged += 1
        return super().arrange(candidates)


def test_candidates_are_arranged_when_a_time_begins_or_ends_and_not_before() -> None:
    discovery = Discovery([EARLY, LATE], Counting())
    assert [discovery.choose("198.51.100.7", now) for now in (1, 50, 99.9)] == [EARLY] * 3
    assert Counting.arranged == 1
    assert [discovery.choose("198.51.100.7", now) for now in (100, 150)] == [LATE] * 2
    assert Counting.arranged == 2
    assert discovery.choose("198.51.100.7", 200) is None
    assert discovery.choose("198.51.100.7", 60) is EARLY, "the clock was set back"


def test_both_forms_of_an_address_are_the_same_client() -> None:
    servers = [DiscoveryServer(0, 100, f"192.0.2.{number}", "") for number in range(100)]
    discovery = Discovery(servers, Consistent())
    for number in range(20):
        address = f"198.51.100.{number}"
        assert discovery.choose(address, 1) == discovery.choose(f"::ffff:{address}", 1)


@pytest.mark.parametrize("address", ["", "not an address", "198.51.100.7:80"])
def test_who_has_no_address_is_told_of_nobody(address: str) -> None:
    assert Discovery([EARLY], Consistent()).choose(address, 1) is None


def test_an_address_is_not_parsed_where_addresses_are_remembered() -> None:
    before = parse_address.cache_info().currsize
    Discovery([EARLY], Consistent()).choose("198.51.100.78", 1)
    assert parse_address.cache_info().currsize == before


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_it_is_the_same_after_any_client_as_before(strategy: str) -> None:
    discovery = Discovery([EARLY, EARLY._replace(address="192.0.2.3")], make_strategy(strategy, SECRET))
    discovery.choose("192.0.2.99", 1)
    before = pickle.dumps(discovery)
    for client in (*CLIENTS, "2001:db8::7", "::ffff:198.51.100.7"):
        discovery.choose(client, 2)
    assert pickle.dumps(discovery) == before


def load(directory: Path, strategy: str, tactics: str, entries: int = 30) -> Shared:
    """Return a server whose configuration and tactics name a strategy each."""
    config = configuration(
        directory,
        ServerDiscoveryStrategy=strategy,
        DiscoveryValueHMACKey=SECRET,
        PsinetDatabaseFilename="psinet.json",
    )
    write_tactics(directory, tactics)
    write_psinet(directory, entries)
    return Shared.load(read_server_config(config.read_bytes()), directory, lambda seed: False)


def write_tactics(directory: Path, strategy: str) -> None:
    tactics = {"Probability": 1, "Parameters": {"ServerDiscoveryStrategy": strategy}}
    (directory / TACTICS_FILE).write_text(json.dumps({"DefaultTactics": tactics}))


def write_psinet(directory: Path, count: int) -> None:
    dates = ["1970-01-01T00:00:00Z", "1970-01-02T00:00:00Z"]
    servers = [
        {"discovery_date_range": dates, "encoded_server_entry": encode_fields(fields)}
        for fields in ENTRIES[:count]
    ]
    (directory / "psinet.json").write_text(json.dumps({"discovery_servers": servers}))


def chosen(discovery: Discovery) -> list[str]:
    told = (discovery.choose(client, 1) for client in CLIENTS)
    return [server.address for server in told if server]


def expected(strategy: str, count: int = 30) -> list[str]:
    servers = [DiscoveryServer(0, 86_400, str(fields["ipAddress"]), "") for fields in ENTRIES[:count]]
    return chosen(Discovery(servers, make_strategy(strategy, SECRET)))


@pytest.mark.parametrize(
    ("configured", "tactics", "name"),
    [("", "", "consistent"), ("keyed", "", "keyed"), ("keyed", "classic", "classic")],
)
def test_tactics_say_how_or_else_the_configuration(
    configured: str, tactics: str, name: str, tmp_path: Path
) -> None:
    assert chosen(load(tmp_path, configured, tactics).discovery) == expected(name)


@pytest.mark.parametrize(
    ("configured", "tactics", "where"),
    [("best", "", "ServerDiscoveryStrategy: best"), ("", "best", f"{TACTICS_FILE}: Server.*: best")],
)
def test_a_strategy_that_is_none_is_named_with_where_it_stands(
    configured: str, tactics: str, where: str, tmp_path: Path
) -> None:
    with pytest.raises(DocumentError, match=f"^{where} is no way of discovery: write one of classic"):
        load(tmp_path, configured, tactics)


def test_other_servers_and_another_strategy_come_with_a_reload(tmp_path: Path) -> None:
    shared = load(tmp_path, "keyed", "", entries=10)
    assert chosen(shared.discovery) == expected("keyed", 10)
    write_psinet(tmp_path, 20)
    write_tactics(tmp_path, "classic")
    assert chosen(shared.reloaded(tmp_path).discovery) == expected("classic", 20)
