"""Keys of servers renewed from the command line."""

import pytest
from tests.unit.cli.network.asking import ask, network_command

from headrace.cli.network.rotating import KEYS
from headrace.network.lifecycle.rotation import WHICH

pytestmark = pytest.mark.usefixtures("network")


def test_the_names_of_keys_are_those_of_what_renews_them() -> None:
    assert KEYS == WHICH


def test_a_server_gets_a_new_login_and_clients_a_newer_entry() -> None:
    report = ask("rotate-key", "198.18.0.1")
    (event,) = report["changed"]
    assert set(event["after"]["secrets"]) == {"ssh_username", "ssh_password", "obfuscation_key"}
    assert all(value != event["before"]["secrets"][name] for name, value in event["after"]["secrets"].items())
    assert ask("server", "show", "198.18.0.1")["configuration_version"] == 1


def test_many_servers_get_new_keys_only_if_somebody_agrees() -> None:
    assert "--yes" in network_command("rotate-key", "--where", "region=DE").complaint
    report = ask("rotate-key", "--where", "region=DE", "--key", "login", "--yes")
    assert [set(event["after"]["secrets"]) for event in report["changed"]] == [
        {"ssh_username", "ssh_password"}
    ] * 2


def test_keys_a_server_does_not_have_are_not_renewed() -> None:
    assert "has no meek keys" in network_command("rotate-key", "198.18.0.1", "--key", "meek").complaint
