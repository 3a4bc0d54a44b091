"""Channels from the command line; and what all commands have in common that set something."""

import pytest
from tests.unit.cli.network.asking import ask, changed, network_command

pytestmark = pytest.mark.usefixtures("network")


def test_channels_are_listed_with_the_servers_that_are_told_of() -> None:
    rows = {row["name"]: row for row in ask("channel", "list")}
    assert set(rows) == {"Testing", "channel-0", "channel-1"}
    assert [rows["channel-0"][role] for role in ("permanent", "propagation", "discovery", "osl")] == [1] * 4
    assert rows["Testing"]["permanent"] == 0


def test_a_channel_is_added_with_what_is_set_of_it() -> None:
    report = ask("channel", "add", "web", "--new-propagation", 2, "--mechanisms", "email, download,email")
    assert changed(report, "channels")["web"]["mechanisms"] == ["email", "download"]
    facts = ask("channel", "show", report["public_id"])
    assert (facts["name"], facts["new_propagation"], facts["max_osl_age"]) == ("web", 2, 0)


def test_what_is_not_given_stays_as_it_is() -> None:
    ask("channel", "set", "channel-0", "--new-osl", 3, "--propagator-managed-upgrades")
    ask("channel", "set", "channel-0", "--max-osl-age", 30)
    facts = ask("channel", "show", "channel-0")
    assert (facts["new_osl"], facts["max_osl_age"], facts["propagator_managed_upgrades"]) == (3, 30, True)


def test_nothing_to_do_has_its_own_exit_code() -> None:
    outcome = network_command("channel", "set", "channel-0", "--new-osl", 0)
    assert (outcome.code, outcome.out) == (3, "nothing to do: it is like that already\n")


def test_a_dry_run_changes_nothing_and_tells_no_id_that_will_be_another() -> None:
    outcome = network_command("channel", "add", "web", "--dry-run")
    assert outcome.code == 0
    assert "nothing was changed" in outcome.out
    assert "the channel web is" not in outcome.out
    assert network_command("channel", "show", "web").code == 2


def test_a_channel_somebody_else_has_changed_is_not_set() -> None:
    revision = ask("channel", "show", "channel-0")["revision"]
    ask("channel", "set", "channel-0", "--new-osl", 1, "--revision", revision)
    outcome = network_command("channel", "set", "channel-0", "--new-osl", 2, "--revision", revision)
    assert outcome.code == 2
    assert "has been changed meanwhile" in outcome.complaint
    assert ask("channel", "show", "channel-0")["new_osl"] == 1


def test_the_audit_log_names_the_command_and_who_gave_it() -> None:
    ask("channel", "set", "channel-0", "--new-osl", 1, "--reason", "more of them")
    event = ask("audit", "log", "--limit", 1)[0]
    assert (event["actor"], event["action"], event["reason"]) == ("ann", "channel set", "more of them")
    assert event["after"] == {"new_osl": 1}
