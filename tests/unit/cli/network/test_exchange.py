"""The network's things as lines of JSON, out and in from the command line."""

import json
from pathlib import Path

import pytest
from tests.unit.cli.network.asking import ask, network_command

from headrace.cli.network.exchange import KINDS
from headrace.network.lifecycle import rows

pytestmark = pytest.mark.usefixtures("network")


def test_the_kinds_are_those_that_are_exchanged() -> None:
    assert tuple(rows.KINDS) == KINDS


def test_what_is_exported_has_no_secret_and_is_the_same_when_it_comes_in_again(tmp_path: Path) -> None:
    file = tmp_path / "all.jsonl"
    assert network_command("export", file).code == 0
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(lines) == 3 + 1 + 2 + 1 + 8 + 8
    assert "PRIVATE KEY" not in file.read_text()
    outcome = network_command("import", file)
    assert (outcome.code, outcome.lines[0]) == (3, f"0 added, 0 changed, {len(lines)} as they were")


def test_lines_that_were_changed_change_the_network(tmp_path: Path) -> None:
    text = network_command("export", "-", "--kind", "channel").out
    file = tmp_path / "channels.jsonl"
    file.write_text(text.replace("channel-1", "web"))
    assert network_command("import", file, "--dry-run").code == 0
    assert network_command("channel", "show", "web").code == 2
    assert ask("import", file)["altered"] == {"channel": 1}
    assert ask("channel", "show", "web")["name"] == "web"


def test_a_line_somebody_else_has_changed_since_is_not_taken(tmp_path: Path) -> None:
    file = tmp_path / "channels.jsonl"
    network_command("export", file, "--kind", "channel")
    ask("channel", "set", "channel-0", "--new-osl", 2)
    file.write_text(file.read_text().replace("channel-1", "web"))
    outcome = network_command("import", file)
    assert outcome.code == 2
    assert "changed meanwhile" in outcome.complaint
    assert network_command("channel", "show", "web").code == 2


def test_secrets_are_sealed_and_open_with_their_key_file(tmp_path: Path) -> None:
    file, seal = tmp_path / "sealed", tmp_path / "seal.key"
    assert network_command("export", file, "--secrets", "--seal-file", seal, "--reason", "to move").code == 0
    assert b"198.18.0.1" not in file.read_bytes()
    assert ask("audit", "log", "--limit", 1)[0]["reason"] == "to move"
    assert network_command("import", file, "--seal-file", seal).code == 3
    assert network_command("export", file, "--seal-file", seal).code == 2


def test_secrets_open_with_the_passphrase_they_were_sealed_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADRACE_KEY_PASSPHRASE", "another long enough passphrase")
    file = tmp_path / "sealed"
    assert network_command("export", file, "--secrets", "--kind", "provider").code == 0
    assert network_command("import", file).code == 3
    monkeypatch.setenv("HEADRACE_KEY_PASSPHRASE", "quite another long passphrase")
    assert network_command("import", file).code == 2


def test_a_file_of_something_else_is_a_mistake(tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_text("")
    assert "nothing to import" in network_command("import", file).complaint
    file.write_text("a list of servers")
    assert "line 1" in network_command("import", file).complaint
