"""The whole network in one file and back, and another lock on it."""

from pathlib import Path

import pytest
from tests.unit.cli.network.asking import ask, network_command

from headrace.network.vault import file_key


def test_what_is_restored_is_the_same_network(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "first.backup", tmp_path / "second.backup"
    assert network_command("backup", first).code == 0
    servers = ask("server", "list")
    monkeypatch.setenv("HEADRACE_NETWORK", str(tmp_path / "restored"))
    assert network_command("restore", first).code == 0
    assert ask("server", "list") == servers
    assert network_command("backup", second).code == 0
    assert second.read_bytes() == first.read_bytes()
    assert "already" in network_command("restore", first).complaint


def test_a_backup_opens_with_the_networks_key_only(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "network.backup"
    network_command("backup", file)
    monkeypatch.setenv("HEADRACE_NETWORK", str(tmp_path / "restored"))
    monkeypatch.setenv("HEADRACE_PASSPHRASE", "another passphrase")
    assert network_command("restore", file).code == 2
    assert not (tmp_path / "restored" / "network.db").exists()


def test_a_network_is_locked_with_a_key_file_instead(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = network / "operator.key"
    assert network_command("lock", "--new-key-file", key).code == 0
    assert file_key(key)
    monkeypatch.delenv("HEADRACE_PASSPHRASE")
    assert len(ask("server", "list")) == 8
    assert [event["action"] for event in ask("audit", "log", "--limit", 1)] == ["lock"]
    key.rename(network / "elsewhere.key")
    assert "HEADRACE_PASSPHRASE" in network_command("server", "list").complaint
    assert network_command("server", "list", "--key-file", network / "elsewhere.key").code == 0


def test_one_new_lock_has_to_be_chosen(network: Path) -> None:
    assert "choose one" in network_command("lock").complaint
