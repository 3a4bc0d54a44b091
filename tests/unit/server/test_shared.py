"""What all sessions share: made from the files that the configuration names, and made anew from them."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.osl_configs import config_bytes, osl_config, scheme

from headrace.base.errors import DocumentError
from headrace.documents.blocklist import Reason
from headrace.documents.server_config import ServerConfig, read_server_config
from headrace.documents.traffic_rules import ClientTraits
from headrace.server.generate import CONFIG_FILE, TACTICS_FILE, TRAFFIC_RULES_FILE, generate_server
from headrace.server.shared import Shared, identification
from headrace.testing.peers import host_key

ANYBODY = ClientTraits(tunnel_protocol="OSSH")


def configuration(directory: Path, **settings: Any) -> ServerConfig:
    generated = generate_server(ip="192.0.2.1", protocols={"OSSH": 4001}, host_key=host_key())
    generated.write(directory, force=True)
    return read_server_config((directory / CONFIG_FILE).read_bytes(), overrides=settings)


def load(directory: Path, **settings: Any) -> Shared:
    return Shared.load(configuration(directory, **settings), directory, lambda seed: False)


def test_it_is_what_the_configuration_says(tmp_path: Path) -> None:
    shared = load(
        tmp_path,
        SSHHandshakeTimeoutMilliseconds=1500,
        SSHBeginHandshakeTimeoutMilliseconds=250,
        MaxConcurrentSSHHandshakes=7,
        UDPInterceptUdpgwServerAddress="127.0.0.1:7300",
        DNSResolverIPAddress="9.9.9.9",
    )
    assert (shared.patience.limit, shared.queue_timeout, shared.max_handshakes) == (1.5, 0.25, 7)
    assert shared.udpgw == ("127.0.0.1", 7300)
    assert shared.dns_server == "9.9.9.9"
    assert shared.keyword == shared.config.obfuscated_ssh_key.encode()
    assert (shared.user, shared.password) == (shared.config.ssh_user_name, shared.config.ssh_password)
    assert not shared.forwards_before_handshake


def test_its_own_addresses_are_not_for_clients(tmp_path: Path) -> None:
    shared = Shared.load(configuration(tmp_path, ServerIPAddress="8.8.8.8"), tmp_path, lambda seed: False)
    assert not shared.egress.permitted("8.8.8.8")
    assert not shared.egress.permitted("127.0.0.1")
    assert shared.egress.permitted("8.8.4.4")
    assert load(tmp_path, AllowBogons=True).egress.permitted("127.0.0.1")


def test_the_identification_is_a_common_one_and_stays_the_servers_own(tmp_path: Path) -> None:
    configs = [configuration(tmp_path / str(number)) for number in range(30)]
    chosen = {identification(config) for config in configs}
    assert len(chosen) > 2
    assert all(text.startswith("SSH-2.0-OpenSSH_") for text in chosen)
    assert [identification(config) for config in configs] == [identification(config) for config in configs]
    configured = configuration(tmp_path, SSHServerVersion="SSH-2.0-Other")
    assert identification(configured) == "SSH-2.0-Other"


def test_a_server_without_obfuscation_has_an_identification_too(tmp_path: Path) -> None:
    config = configuration(tmp_path, ObfuscatedSSHKey="", TunnelProtocolPorts={"SSH": 22})
    assert identification(config).startswith("SSH-2.0-OpenSSH_")


def test_without_files_the_defaults_hold(tmp_path: Path) -> None:
    shared = load(tmp_path, TrafficRulesFilename="", TacticsConfigFilename="")
    assert shared.rules.limits_for(ANYBODY).max_tcp == 512


@pytest.mark.parametrize(
    ("field", "file"),
    [("TrafficRulesFilename", TRAFFIC_RULES_FILE), ("TacticsConfigFilename", TACTICS_FILE)],
)
@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"\xff", b'{"a":' * 50_000])
def test_a_file_that_is_missing_or_bad_is_named(
    tmp_path: Path, field: str, file: str, content: bytes | None
) -> None:
    config = configuration(tmp_path)
    if content is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_bytes(content)
    with pytest.raises(DocumentError, match=file) as failure:
        Shared.load(config, tmp_path, lambda seed: False)
    assert content is not None or field in str(failure.value)


def test_a_directory_in_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"TrafficRulesFilename.*cannot be read: Is a directory"):
        load(tmp_path, TrafficRulesFilename=".")


def test_the_configuration_of_obfuscated_lists_is_read_and_read_again(tmp_path: Path) -> None:
    assert load(tmp_path).osl.schemes == []
    with pytest.raises(DocumentError, match=r"OSLConfigFilename: .*osl.config cannot be read"):
        load(tmp_path, OSLConfigFilename="osl.config")
    (tmp_path / "osl.config").write_bytes(config_bytes(scheme()))
    shared = load(tmp_path, OSLConfigFilename="osl.config")
    assert shared.osl == osl_config(scheme())
    (tmp_path / "osl.config").write_bytes(config_bytes(scheme(), scheme()))
    assert shared.reloaded(tmp_path).osl == osl_config(scheme(), scheme())
    (tmp_path / "osl.config").write_bytes(config_bytes(scheme(SeedPeriodNanoseconds=0)))
    with pytest.raises(DocumentError, match=r"osl.config: Schemes\[0\]: the SeedPeriodNanoseconds"):
        shared.reloaded(tmp_path)


def test_the_psinet_database_is_read_again_and_a_bad_one_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "psinet.json"
    file.write_text('{"valid_server_entry_tags": {"old": true}}')
    shared = load(tmp_path, PsinetDatabaseFilename="psinet.json")
    assert shared.psinet.modified == file.stat().st_mtime
    file.write_text('{"valid_server_entry_tags": {"new": true}}')
    fresh = shared.reloaded(tmp_path)
    now = fresh.psinet.modified
    assert [fresh.psinet.is_valid_tag(tag, now) for tag in ("old", "new")] == [False, True]
    assert fresh.api.psinet is fresh.psinet
    file.write_text('{"client_versions": 5}')
    with pytest.raises(DocumentError, match=r"psinet.json: client_versions: expected an object"):
        fresh.reloaded(tmp_path)


def test_reloading_reads_rules_and_prefixes_and_nothing_else(tmp_path: Path) -> None:
    shared = load(tmp_path)
    rules = {"DefaultRules": {"MaxTCPPortForwardCount": 3, "RateLimits": {"ReadBytesPerSecond": 5}}}
    (tmp_path / TRAFFIC_RULES_FILE).write_text(json.dumps(rules))
    tactics = {"Probability": 1, "Parameters": {"ServerOSSHPrefixSpecs": {"short": [["", "[a-z]{9}"]]}}}
    (tmp_path / TACTICS_FILE).write_text(json.dumps({"DefaultTactics": tactics}))
    (tmp_path / CONFIG_FILE).unlink()
    fresh = shared.reloaded(tmp_path)
    assert shared.rules.limits_for(ANYBODY).max_tcp == 512
    assert fresh.rules.limits_for(ANYBODY).max_tcp == 3
    assert fresh.prefixes.patterns.keys() - shared.prefixes.patterns.keys() == {"short"}
    assert (fresh.keyword, fresh.host_key, fresh.seen) == (shared.keyword, shared.host_key, shared.seen)


def test_a_bad_file_leaves_everything_as_it_was(tmp_path: Path) -> None:
    shared = load(tmp_path)
    (tmp_path / TRAFFIC_RULES_FILE).write_text('{"DefaultRules": {"MaxTCPPortForwardCount": -1}}')
    with pytest.raises(DocumentError, match="MaxTCPPortForwardCount"):
        shared.reloaded(tmp_path)
    assert shared.rules.limits_for(ANYBODY).max_tcp == 512


def test_repr_keeps_the_secrets(tmp_path: Path) -> None:
    shared = load(tmp_path)
    shown = repr(shared)
    assert shared.password not in shown
    assert shared.keyword.decode() not in shown
    assert len(shown) < 100


def test_a_block_list_is_read_again_when_it_is_another(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("malware.example,feed,botnet\n", encoding="utf-8-sig")
    shared = load(tmp_path, BlocklistFilename="list.csv", BlocklistActive=True)
    assert shared.exits.blocking
    assert shared.exits.blocklist.name("malware.example") == (Reason("feed", "botnet"),)
    assert shared.reloaded(tmp_path).blocklist is shared.blocklist
    (tmp_path / "list.csv").write_text("other.example,feed,botnet\n")
    fresh = shared.reloaded(tmp_path)
    assert fresh.exits.blocklist.name("malware.example") == ()
    (tmp_path / "list.csv").unlink()
    with pytest.raises(DocumentError, match=r"BlocklistFilename: .*list\.csv cannot be read: No such file"):
        fresh.reloaded(tmp_path)
