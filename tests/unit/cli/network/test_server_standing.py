"""Servers paused, restored, drained, removed and moved from the command line."""

import pytest
from tests.stopped_clock import StoppedClock
from tests.unit.cli.network.asking import ask, changed, network_command

from headrace.cli.network import selecting

pytestmark = pytest.mark.usefixtures("network")


def status(address: str) -> str:
    found: str = ask("server", "show", address)["status"]
    return found


def test_a_server_is_paused_and_restored() -> None:
    ask("server", "pause", "198.18.0.1", "198.18.0.2")
    assert (status("198.18.0.1"), status("198.18.0.2")) == ("paused", "paused")
    assert network_command("server", "pause", "198.18.0.1").code == 3
    ask("server", "restore", "198.18.0.1")
    assert (status("198.18.0.1"), status("198.18.0.2")) == ("active", "paused")


def test_servers_are_drained_by_what_they_have_in_common() -> None:
    ask("server", "drain", "--where", "region=DE")
    assert {row["address"] for row in ask("server", "list", "--status", "draining")} == {
        "198.18.0.1",
        "198.18.0.5",
    }


@pytest.mark.parametrize("arguments", [(), ("198.18.0.1", "--where", "all")], ids=["none", "both"])
def test_servers_are_named_or_selected(arguments: tuple[str, ...]) -> None:
    assert network_command("server", "pause", *arguments).code == 2


def test_a_revision_is_of_one_server_and_has_to_be_the_present_one() -> None:
    revision = ask("server", "show", "198.18.0.1")["revision"]
    assert network_command("server", "pause", "198.18.0.1", "198.18.0.2", "--revision", revision).code == 2
    assert network_command("server", "pause", "198.18.0.1", "--revision", revision + 1).code == 2
    ask("server", "pause", "198.18.0.1", "--revision", revision)


def test_nothing_is_removed_before_somebody_has_agreed() -> None:
    outcome = network_command("server", "remove", "198.18.0.1", "198.18.0.2", "198.18.0.5")
    assert outcome.code == 2
    assert "--yes" in outcome.complaint
    assert [line.split() for line in outcome.lines[2:]] == [
        ["channel", "channel-0", "2"],
        ["channel", "channel-1", "1"],
        ["region", "DE", "2"],
        ["region", "FR", "1"],
    ]
    assert status("198.18.0.1") == "active"


def test_what_was_removed_keeps_its_name_and_no_secret() -> None:
    report = ask("server", "remove", "198.18.0.1", "--yes")
    assert report["affected"]["region"] == {"DE": 1}
    facts = ask("server", "show", report["affected"]["servers"][0])
    assert (facts["status"], facts["secrets"], facts["ports"]) == ("gone", [], {})
    assert network_command("server", "remove", facts["pseudonym"], "--yes").code == 3


def test_machines_elsewhere_are_to_be_destroyed_by_somebody() -> None:
    assert ask("server", "remove", "198.18.0.1", "--yes")["to_destroy"] == ["machine-00000"]
    outcome = network_command("server", "remove", "198.18.0.2", "--yes")
    assert "destroy machine-00001 at the provider" in outcome.out


def test_of_many_machines_it_is_said_how_many_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selecting, "_MOST_TOLD", 1)
    outcome = network_command("server", "remove", "198.18.0.1", "198.18.0.2", "--yes")
    assert "destroy 2 machines (headrace network host list --status removing)" in outcome.out


def test_addresses_are_forgotten_after_a_time(clock: StoppedClock) -> None:
    (name,) = ask("server", "remove", "198.18.0.1", "--yes")["affected"]["servers"]
    clock.now += 364 * 86_400
    assert network_command("server", "forget-addresses").code == 3
    clock.now += 2 * 86_400
    assert ask("server", "forget-addresses")["forgotten"] == [name]
    assert ask("server", "show", name)["address"] == ""


def test_a_dry_run_of_a_removal_asks_nobody() -> None:
    outcome = network_command("server", "remove", "--where", "all", "--dry-run")
    assert outcome.code == 0
    assert outcome.out.startswith("8 servers to be removed:\n")
    assert len(ask("server", "list")) == 8


def test_a_server_at_another_address_has_to_be_tested_again() -> None:
    report = ask("server", "swap-address", "198.18.0.1", "192.0.2.99")
    (after,) = changed(report, "servers").values()
    assert (after["address"], after["tested_at"]) == ("192.0.2.99", None)
    assert after["configuration_version"] == 1
    assert network_command("server", "swap-address", "192.0.2.99", "nowhere").code == 2
