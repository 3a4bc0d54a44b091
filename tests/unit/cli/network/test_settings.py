"""Settings from the command line."""

from pathlib import Path

import pytest
from tests.unit.cli.network.asking import ask, network_command

pytestmark = pytest.mark.usefixtures("network")


def test_all_settings_are_shown_but_no_secret() -> None:
    facts = ask("setting", "show")
    assert (facts["network_name"], facts["default_sponsor"]) == ("test-network", "sponsor-0")
    assert facts["secrets"] == ["sample_key", "store_secret_key"]
    assert "store-secret" not in network_command("setting", "show").out


def test_one_setting_is_shown_and_set() -> None:
    ask("setting", "set", "list_sample", "200")
    assert ask("setting", "show", "list_sample") == {"list_sample": 200}
    assert network_command("setting", "set", "list_sample", "many").code == 2
    assert network_command("setting", "show", "list_simple").code == 2


def test_a_value_comes_from_a_file_without_being_seen(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a key to the store\n")
    outcome = network_command("setting", "set", "store_access_key", "--file", tmp_path / "secret")
    assert outcome.code == 0
    assert "a key to the store" not in outcome.out
    assert "store_access_key" in ask("setting", "show")["secrets"]


def test_a_value_is_given_once() -> None:
    assert network_command("setting", "set", "list_sample").code == 2
    assert network_command("setting", "set", "list_sample", "3", "--file", "x").code == 2


def test_settings_that_were_changed_meanwhile_stay() -> None:
    revision = ask("setting", "show")["revision"]
    ask("setting", "set", "list_sample", "200", "--revision", revision)
    assert network_command("setting", "set", "list_sample", "300", "--revision", revision).code == 2
