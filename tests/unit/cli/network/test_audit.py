"""Who did what, when and why, and that secrets are no part of it."""

from pathlib import Path

import pytest
from tests.unit.cli.network.asking import ask, network_command

pytestmark = pytest.mark.usefixtures("network")


def test_a_change_is_in_the_log_with_its_reason() -> None:
    ask("channel", "set", "channel-0", "--new-osl", 3, "--reason", "spring")
    (event,) = ask("audit", "log", "--limit", 1)
    assert (event["actor"], event["reason"], event["action"]) == ("ann", "spring", "channel set")
    assert (event["before"], event["after"]) == ({"new_osl": 0}, {"new_osl": 3})
    assert network_command("audit", "log", "--actor", "bob").out == "nothing was done\n"


def test_a_dry_run_leaves_no_trace() -> None:
    before = ask("audit", "log")
    ask("channel", "set", "channel-0", "--new-osl", 3, "--dry-run")
    assert ask("audit", "log") == before


def test_history_is_of_one_thing() -> None:
    ask("channel", "set", "channel-0", "--new-osl", 3)
    ask("channel", "set", "channel-1", "--new-osl", 4)
    assert [event["action"] for event in ask("history", "channel-0")] == ["build", "channel set"]
    assert "nothing is called" in network_command("history", "nobody").complaint


def test_no_secret_is_shown(network: Path) -> None:
    shown = network_command("audit", "log", "--limit", 1000, "--json").out
    assert '"secrets"' in shown
    for word in ("PRIVATE KEY", "provider-credentials-", "management-", "store-secret-"):
        assert word not in shown
