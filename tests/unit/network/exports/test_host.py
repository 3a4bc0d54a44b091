"""The files of a host are those that the server program reads, in names that any way there can carry."""

import base64
import json
import os
from pathlib import Path

import pytest
from tests.unit.network.exports.full_server import with_everything
from tests.unit.network.networks import NOW

from headrace.base.errors import DocumentError, OperatorError
from headrace.documents.server_config import ServerConfig, read_server_config
from headrace.network.book import Book, Change, View
from headrace.network.exports.host import check_schemes, osl_config
from headrace.network.lifecycle.making import make_host_secrets
from headrace.network.model import Host, Server, Status
from headrace.network.publish.stores.hosts import LocalHosts
from headrace.network.rendering.network import NetworkRendering
from headrace.server.check import check_server
from headrace.server.findings import Finding

FIRST = "198.18.0.1"
SCHEME = {
    "Epoch": "2026-01-01T00:00:00Z",
    "Regions": [],
    "PropagationChannelIDs": ["00112233445566AA"],
    "MasterKey": "scheme-master",
    "SeedSpecs": [
        {
            "Description": "spec1",
            "ID": base64.b64encode(b"1" * 32).decode(),
            "UpstreamSubnets": ["0.0.0.0/0"],
            "Targets": {"BytesRead": 1, "BytesWritten": 1, "PortForwardDurationNanoseconds": 1},
        }
    ],
    "SeedSpecThreshold": 1,
    "SeedPeriodNanoseconds": 10_000_000_000,
    "SeedPeriodKeySplits": [{"Total": 2, "Threshold": 1}],
}


def files_of(view: View, server: Server) -> dict[str, bytes]:
    return dict(NetworkRendering(view).host_files(server.host))


def problems(configuration: Path) -> list[Finding]:
    """Return what there is to mend just after the files were written, which is when the network is."""
    os.utime(configuration.parent / "psinet.json", (NOW, NOW))
    return check_server(configuration, None, NOW)


def configuration(data: bytes) -> ServerConfig:
    return read_server_config(data)


def share_a_host(change: Change) -> Host:
    first, second = change.server(FIRST), change.server("198.18.0.2")
    second.host_id = first.host_id
    return first.host


def test_the_server_program_reads_its_configuration(book: Book) -> None:
    with book.view() as view:
        server = view.server(FIRST)
        read = configuration(files_of(view, server)["psiphond.config"])
        secrets = view.secrets(server)
    assert read.unknown_fields == []
    assert read.server_ip_address == FIRST
    assert read.tunnel_protocol_ports == {"SSH": server.ssh_port, "OSSH": server.ossh_ports[-1]}
    assert read.ssh_private_key == secrets["ssh_private_key"]
    assert (read.ssh_user_name, read.ssh_password) == (secrets["ssh_username"], secrets["ssh_password"])
    assert read.obfuscated_ssh_key == secrets["obfuscation_key"]
    assert read.discovery_value_hmac_key
    assert read.own_encoded_server_entries.keys() == {server.tag}


def test_the_server_program_finds_nothing_to_mend(book: Book, tmp_path: Path) -> None:
    with book.change("ann", "test") as change:
        change.settings.osl_schemes = [SCHEME]
        change.settings.blocklist = "192.0.2.7,test,bad\n"
    hosts = LocalHosts(tmp_path / "hosts")
    with book.view() as view:
        rendering, server = NetworkRendering(view), view.server(FIRST)
        for name, data in {**rendering.host_files(server.host), "psinet.json": rendering.psinet(0)}.items():
            hosts.put(server.host.name, name, data)
        directory = tmp_path / "hosts" / server.host.name
    assert {path.name for path in directory.iterdir()} == {
        "psiphond.config",
        "psiphond-traffic-rules.config",
        "psiphond-tactics.config",
        "psiphond-osl.config",
        "psinet.json",
        "blocklist.csv",
    }
    assert problems(directory / "psiphond.config") == []


def test_servers_on_one_host_have_files_of_their_own(book: Book, tmp_path: Path) -> None:
    with book.change("ann", "test") as change:
        share_a_host(change)
        change.settings.osl_schemes = [SCHEME]
        change.settings.blocklist = "192.0.2.7,test,bad\n"
    hosts = LocalHosts(tmp_path / "hosts")
    with book.view() as view:
        rendering, host = NetworkRendering(view), view.server(FIRST).host
        files = {**rendering.host_files(host), "psinet.json": rendering.psinet(0)}
        for name, data in files.items():
            hosts.put(host.name, name, data)  # it refuses a name with a folder in it
        both = [view.server(address) for address in (FIRST, "198.18.0.2")]
        tags = {server.tag for server in both}
        names = [server.pseudonym.replace(" ", "-") for server in both]
    assert len(files) == 2 * 5 + 1
    for name, address in zip(names, (FIRST, "198.18.0.2"), strict=True):
        read = configuration(files[f"{name}.psiphond.config"])
        assert read.server_ip_address == address
        assert read.own_encoded_server_entries.keys() == tags
        assert read.psinet_database_filename == "psinet.json"
        assert read.traffic_rules_filename == f"{name}.psiphond-traffic-rules.config"
        assert read.osl_config_filename in files and read.blocklist_filename in files
        place = tmp_path / "hosts" / host.name / f"{name}.psiphond.config"
        assert problems(place) == []


def test_entries_that_name_a_fronting_provider_are_not_beside_those_that_name_none(book: Book) -> None:
    with book.change("ann", "test") as change:
        share_a_host(change)
        with_everything(change, change.server(FIRST))
    with book.view() as view:
        host, files = view.server(FIRST).host, files_of(view, view.server(FIRST))
        tags = {
            server.pseudonym.replace(" ", "-"): server.tag for server in view.servers(Server.host == host)
        }
    assert len(tags) == 2
    for name, tag in tags.items():
        read = configuration(files[f"{name}.psiphond.config"])
        assert read.own_encoded_server_entries.keys() == {tag}


def test_settings_go_over_the_configuration_and_the_hosts_own_over_those(book: Book) -> None:
    with book.change("ann", "test") as change:
        change.settings.server_settings = {"LogLevel": "debug", "Workers": 2}
        change.server(FIRST).host.settings = {"Workers": 3}
    with book.view() as view:
        read = configuration(files_of(view, view.server(FIRST))["psiphond.config"])
        other = configuration(files_of(view, view.server("198.18.0.2"))["psiphond.config"])
    assert (read.log_level, read.workers, other.workers) == ("debug", 3, 2)


def test_traffic_rules_and_tactics_are_the_networks_if_it_has_some(book: Book) -> None:
    rules = {"DefaultRules": {"MaxTCPPortForwardCount": 3}}
    with book.change("ann", "test") as change:
        change.settings.traffic_rules = rules
        change.settings.tactics = {"DefaultTactics": {"TTL": "5m", "Probability": 1.0}}
    with book.view() as view:
        files = files_of(view, view.server(FIRST))
    assert json.loads(files["psiphond-traffic-rules.config"]) == rules
    assert json.loads(files["psiphond-tactics.config"])["DefaultTactics"]["TTL"] == "5m"


def test_tactics_keys_are_there_for_who_is_asked_for_tactics(book: Book) -> None:
    with book.change("ann", "test") as change:
        server = with_meek(change, "FRONTED-MEEK", "FRONTED-MEEK-TACTICS")
        public, private = (
            server.host.tactics_request_public_key,
            change.secrets(server.host)["tactics_request_private_key"],
        )
    with book.view() as view:
        tactics = json.loads(files_of(view, view.server(FIRST))["psiphond-tactics.config"])
        other = json.loads(files_of(view, view.server("198.18.0.2"))["psiphond-tactics.config"])
    assert (tactics["RequestPublicKey"], tactics["RequestPrivateKey"]) == (public, private)
    assert "RequestPrivateKey" not in other


def with_meek(change: Change, *capabilities: str) -> Server:
    """Have the first server speak meek as well, with all keys that this takes."""
    server = change.server(FIRST)
    host = server.host
    made = make_host_secrets(capabilities, change.rng)
    change.set_secrets(host, made.secrets)
    for name, value in made.columns.items():
        setattr(host, name, value)
    host.meek_port = 443
    host.fronting_domain, host.fronting_host = "cdn.example", "front.example"
    server.tls_port = 8443
    server.capabilities = [*server.capabilities, *capabilities]
    return server


@pytest.mark.parametrize(
    ("port", "passed"),
    [
        (443, {"TLS-OSSH", "UNFRONTED-MEEK-HTTPS-OSSH", "UNFRONTED-MEEK-SESSION-TICKET-OSSH"}),
        (80, {"TLS-OSSH", "UNFRONTED-MEEK-SESSION-TICKET-OSSH"}),
    ],
)
def test_strangers_are_passed_on_where_there_is_tls(book: Book, port: int, passed: set[str]) -> None:
    with book.change("ann", "test") as change:
        server = with_meek(change, "TLS", "UNFRONTED-MEEK", "UNFRONTED-MEEK-SESSION-TICKET")
        server.host.meek_port = port
        server.host.passthrough_address = "203.0.113.9:443"
    with book.view() as view:
        fields = json.loads(files_of(view, view.server(FIRST))["psiphond.config"])
        assert fields["TunnelProtocolPassthroughAddresses"] == dict.fromkeys(passed, "203.0.113.9:443")
        assert "LegacyPassthrough" not in fields
        secrets = view.secrets(view.server(FIRST).host)
        assert fields["MeekCookieEncryptionPrivateKey"] == secrets["meek_cookie_private_key"]
        assert fields["MeekObfuscatedKey"] == secrets["meek_obfuscation_key"]


def test_a_server_that_is_not_installed_is_configured_and_not_announced(book: Book) -> None:
    with book.change("ann", "test") as change:
        change.server(FIRST).status = Status.NEW
    with book.view() as view:
        read = configuration(files_of(view, view.server(FIRST))["psiphond.config"])
    assert read.own_encoded_server_entries == {}


def test_a_server_without_a_login_is_not_configured(book: Book) -> None:
    with book.change("ann", "test") as change:
        change.set_secrets(change.server(FIRST), {"ssh_private_key": None})
    with book.view() as view, pytest.raises(OperatorError, match="no ssh private key"):
        files_of(view, view.server(FIRST))


def test_schemes_have_their_master_keys_put_in(book: Book) -> None:
    with book.change("ann", "test") as change:
        assert not osl_config(change).schemes
        change.settings.osl_schemes = [SCHEME]
        (scheme,) = osl_config(change).schemes
        assert len(scheme.master_key) == 32
        change.settings.osl_schemes = [{**SCHEME, "MasterKey": "another"}]
        with pytest.raises(OperatorError, match="key add osl-master --name another"):
            osl_config(change)


@pytest.mark.parametrize(
    ("scheme", "match"),
    [
        ({"Epoch": "2026-01-01T00:00:00Z"}, 'has no "MasterKey"'),
        ({**SCHEME, "MasterKey": 5}, 'has no "MasterKey"'),
        ({**SCHEME, "Epoch": "yesterday"}, "the OSL schemes"),
    ],
)
def test_schemes_out_of_order_are_refused(scheme: dict[str, object], match: str) -> None:
    check_schemes([SCHEME])
    with pytest.raises(DocumentError, match=match):
        check_schemes([scheme])
