"""A new network, and what it takes to change one that people depend on."""

from pathlib import Path

import pytest
from tests.package_keys import new_key
from tests.unit.cli.network.asking import ask, network_command

from headrace.crypto.rsa_signing import PackageSigningKey


@pytest.fixture(autouse=True)
def quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """RSA keys take long, and are not what this is about."""
    monkeypatch.setattr(PackageSigningKey, "generate", lambda _bits: new_key())
    monkeypatch.delenv("HEADRACE_NETWORK", raising=False)


def test_a_new_network_has_its_keys_and_a_key_file(tmp_path: Path) -> None:
    told = ask("init", tmp_path / "relay")
    assert told["network"] == "relay"
    assert {file.name for file in (tmp_path / "relay").iterdir()} == {"network.db", "operator.key"}
    purposes = {key["purpose"] for key in ask("key", "list", "--network", tmp_path / "relay")}
    assert purposes == {"list-signing", "entry-signing", "exchange-obfuscation", "discovery-hmac"}


def test_nothing_is_made_over_a_network(tmp_path: Path) -> None:
    ask("init", tmp_path / "relay")
    before = (tmp_path / "relay" / "network.db").read_bytes()
    assert "already" in network_command("init", tmp_path / "relay").complaint
    assert (tmp_path / "relay" / "network.db").read_bytes() == before


def test_a_passphrase_takes_the_place_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_PASSPHRASE", "words of an operator")
    ask("init", tmp_path / "relay", "--passphrase")
    assert not (tmp_path / "relay" / "operator.key").exists()
    monkeypatch.setenv("HEADRACE_PASSPHRASE", "words of another")
    assert network_command("key", "list", "--network", tmp_path / "relay").code == 2


def test_a_production_network_is_changed_by_name_only(tmp_path: Path) -> None:
    ask("init", tmp_path / "relay", "--production", "--name", "people")
    words = ("channel", "add", "--network", tmp_path / "relay", "web")
    refused = network_command(*words)
    assert refused.code == 2
    assert "--environment people" in refused.complaint
    assert network_command(*words, "--environment", "other").code == 2
    assert network_command(*words, "--environment", "people").code == 0
    assert network_command("channel", "list", "--network", tmp_path / "relay").code == 0


def test_a_place_without_a_network_says_how_to_make_one(tmp_path: Path) -> None:
    outcome = network_command("status", "--network", tmp_path / "none")
    assert outcome.code == 2
    assert f"headrace network init {tmp_path / 'none'}" in outcome.complaint
