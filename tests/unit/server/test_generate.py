"""What a new server starts with."""

import base64
import json
import os
import re
from pathlib import Path

import pytest

from headrace.base.errors import OperatorError
from headrace.base.rng import SeededRng
from headrace.documents.server_config import read_server_config
from headrace.documents.server_entry import ServerEntry
from headrace.documents.tactics_config import read_tactics_config
from headrace.documents.traffic_rules import DEFAULT_TRAFFIC_RULES, ClientTraits, read_traffic_rules
from headrace.server.generate import (
    CONFIG_FILE,
    ENTRY_FILE,
    TACTICS_FILE,
    TRAFFIC_RULES_FILE,
    Generated,
    generate_server,
)
from headrace.ssh.host_keys import HostKey
from headrace.testing.peers import host_key


def generate(seed: int = 1, region: str = "", key: HostKey | None = None) -> Generated:
    return generate_server(
        ip="192.0.2.7",
        protocols={"OSSH": 53, "SSH": 22},
        region=region,
        rng=SeededRng(seed),
        host_key=key or host_key("rsa"),
    )


def test_configuration_and_entry_fit_each_other() -> None:
    made = generate(region="DE")
    config = read_server_config(made.files[CONFIG_FILE])
    entry = ServerEntry.decode(made.entry, source="TARGET", timestamp="2026-01-01T00:00:00Z")
    entry.validate()
    assert config.unknown_fields == []
    assert config.testing_settings == []
    assert config.protocol_ports == {"OSSH": 53, "SSH": 22}
    assert config.udpgw_address == ("127.0.0.1", 7300)
    assert config.own_encoded_server_entries == {entry.effective_tag: made.entry}
    assert entry.ip_address == config.server_ip_address == "192.0.2.7"
    assert (entry.ssh_port, entry.ssh_obfuscated_port, entry.region) == (22, 53, "DE")
    assert entry.ssh_username == config.ssh_user_name
    assert entry.ssh_password == config.ssh_password
    assert entry.ssh_obfuscated_key == config.obfuscated_ssh_key
    assert base64.b64decode(entry.ssh_host_key) == HostKey.from_pem(config.ssh_private_key).blob
    assert entry.supports_ssh_api
    assert entry.supported_protocols() == ["SSH", "OSSH"]


def test_the_texts_have_the_usual_shapes() -> None:
    config = json.loads(generate().files[CONFIG_FILE])
    assert re.fullmatch(r"psiphon_[0-9a-f]{16}", config["SSHUserName"])
    assert re.fullmatch(r"[0-9a-f]{64}", config["SSHPassword"])
    assert re.fullmatch(r"[0-9a-f]{64}", config["ObfuscatedSSHKey"])
    assert config["SSHServerVersion"] == "SSH-2.0-Psiphon"
    assert config["SSHPrivateKey"].startswith("-----BEGIN RSA PRIVATE KEY-----\n")
    assert len(base64.b64decode(config["DiscoveryValueHMACKey"])) == 32


def test_the_other_files_are_readable() -> None:
    files = generate().files
    assert set(files) == {CONFIG_FILE, TRAFFIC_RULES_FILE, TACTICS_FILE, ENTRY_FILE}
    rules, traits = read_traffic_rules(files[TRAFFIC_RULES_FILE]), ClientTraits(tunnel_protocol="OSSH")
    assert rules.unknown_fields == []
    assert rules.limits_for(traits) == DEFAULT_TRAFFIC_RULES.limits_for(traits)
    specs = read_tactics_config(files[TACTICS_FILE]).prefixes
    assert specs.generate("http-post", SeededRng(1)) is not None


def test_no_two_servers_share_a_secret() -> None:
    secrets = []
    for seed in range(2):
        entry = ServerEntry.decode(generate(seed).entry)
        secrets.append({entry.ssh_password, entry.ssh_obfuscated_key, entry.web_server_secret, entry.tag})
    assert len(secrets[0]) == 4
    assert not secrets[0] & secrets[1]


def test_a_host_key_is_made_when_none_is_given() -> None:
    made = generate_server(ip="2001:db8::7", protocols={"OSSH": 53})
    blob = base64.b64decode(ServerEntry.decode(made.entry).ssh_host_key)
    assert blob == HostKey.from_pem(json.loads(made.files[CONFIG_FILE])["SSHPrivateKey"]).blob
    assert blob[:11] == b"\0\0\0\x07ssh-rsa"
    assert len(blob) == 4 + 7 + 4 + 3 + 4 + 257  # a modulus of 2048 bits


@pytest.mark.parametrize(
    ("ip", "protocols", "region", "word"),
    [
        ("example.com", {"OSSH": 53}, "", "IP address"),
        ("fe80::1%eth0", {"OSSH": 53}, "", "IP address"),
        ("192.0.2.7", {}, "", "tunnel protocol"),
        ("192.0.2.7", {"MEEK": 80}, "", "MEEK"),
        ("192.0.2.7", {"OSSH": 0}, "", "65535"),
        ("192.0.2.7", {"OSSH": 65_536}, "", "65535"),
        ("192.0.2.7", {"OSSH": 53, "SSH": 53}, "", "share"),
        ("192.0.2.7", {"OSSH": 53}, "de", "region"),
    ],
)
def test_mistakes_are_explained(ip: str, protocols: dict[str, int], region: str, word: str) -> None:
    with pytest.raises(OperatorError, match=word):
        generate_server(ip=ip, protocols=protocols, region=region, host_key=host_key("rsa"))


def test_files_are_written_for_their_owner_only(tmp_path: Path) -> None:
    made = generate()
    old = os.umask(0)
    try:
        made.write(tmp_path / "new" / "server")
    finally:
        os.umask(old)
    directory = tmp_path / "new" / "server"
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {file.name: file.read_bytes() for file in directory.iterdir()} == made.files
    assert {file.stat().st_mode & 0o777 for file in directory.iterdir()} == {0o600}


def test_an_existing_server_is_not_overwritten(tmp_path: Path) -> None:
    first, second = generate(1), generate(2)
    first.write(tmp_path)
    with pytest.raises(OperatorError, match=r"psiphond.*exists already") as failure:
        second.write(tmp_path)
    assert failure.value.exit_code == 2
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == first.files
    second.write(tmp_path, force=True)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == second.files


def test_one_file_in_the_way_keeps_the_others_from_being_written(tmp_path: Path) -> None:
    (tmp_path / CONFIG_FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OperatorError):
        generate().write(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [CONFIG_FILE]


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OperatorError):
        generate().write(tmp_path / "file" / "server")
