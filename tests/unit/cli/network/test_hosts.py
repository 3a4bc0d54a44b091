"""Hosts from the command line."""

import pytest
from tests.unit.cli.network.asking import ask, network_command

pytestmark = pytest.mark.usefixtures("network")


def test_hosts_are_listed_by_where_they_are() -> None:
    assert len(ask("host", "list")) == 8
    rows = ask("host", "list", "--region", "de", "--provider", "stratus-hosting")
    assert [(row["name"], row["servers"]) for row in rows] == [("machine-00000", 1), ("machine-00004", 1)]


def test_a_host_is_shown_with_its_servers() -> None:
    facts = ask("host", "show", "machine-00000")
    assert facts["servers"] == [ask("server", "show", "198.18.0.1")["pseudonym"]]
    assert facts["provider"] == "stratus-hosting"
    assert set(facts["secrets"]) == {"console", "log_credential", "management_credential"}


def test_a_paused_host_takes_its_servers_out_of_lists_until_it_is_restored() -> None:
    ask("host", "pause", "machine-00000")
    assert ask("server", "show", "198.18.0.1")["published"] is False
    ask("host", "restore", "machine-00000")
    assert ask("server", "show", "198.18.0.1")["published"] is True


def test_a_host_drains_and_somebody_elses_change_is_seen() -> None:
    revision = ask("host", "show", "machine-00000")["revision"]
    ask("host", "drain", "machine-00000", "--revision", revision)
    assert [row["name"] for row in ask("host", "list", "--status", "draining")] == ["machine-00000"]
    assert network_command("host", "restore", "machine-00000", "--revision", revision).code == 2


def test_the_machine_of_removed_servers_is_gone_when_that_is_said() -> None:
    assert network_command("host", "gone", "machine-00000").code == 2
    ask("server", "remove", "198.18.0.1", "--yes")
    assert [row["name"] for row in ask("host", "list", "--status", "removing")] == ["machine-00000"]
    ask("host", "gone", "machine-00000")
    assert ask("host", "show", "machine-00000")["secrets"] == []
    assert network_command("host", "gone", "machine-00000").code == 3
