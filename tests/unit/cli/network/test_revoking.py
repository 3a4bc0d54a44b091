"""Capabilities revoked from the command line."""

import json
from pathlib import Path

import pytest
from tests.unit.cli.network.asking import ask, changed, network_command

pytestmark = pytest.mark.usefixtures("network")


def test_what_would_be_left_is_shown_and_nothing_is_done_in_a_dry_run() -> None:
    report = ask("revoke", "ossh", "--dry-run")
    assert report["revoked"] == ["OSSH"]
    assert {"of": "channel", "which": "channel-0", "before": 4, "affected": 4, "left": 4} in report["left"]
    assert len(ask("server", "list", "--capability", "OSSH")) == 8


def test_capabilities_are_switched_off_where_the_selector_says() -> None:
    report = ask("revoke", "OSSH", "--where", "region=DE,channel=channel-0", "--yes")
    (after,) = changed(report, "servers").values()
    assert after["capabilities"] == ["SSH", "shipped-prefixes-1"]
    assert after["configuration_version"] == 1
    assert "login" not in str(after)


def test_no_channel_or_region_is_left_with_too_little_unless_it_is_an_emergency() -> None:
    everything = ("revoke", "SSH", "OSSH", "--where", "region=DE", "--yes")
    outcome = network_command(*everything)
    assert outcome.code == 2
    assert "the region DE would be left with 0 of 2 servers" in outcome.complaint
    assert outcome.out.startswith("2 servers to lose OSSH, SSH\n")
    assert network_command(*everything, "--minimum", 0).code == 0
    assert len(ask("server", "list", "--capability", "SSH")) == 6


def test_in_an_emergency_nothing_is_too_much_and_it_is_published_at_once(tmp_path: Path) -> None:
    ask("setting", "set", "public_store", (tmp_path / "public").as_uri())
    ask("setting", "set", "host_store", (tmp_path / "hosts").as_uri())
    words = ("revoke", "SSH", "--emergency", "--new-keys", "--yes", "--json")
    assert "--emergency needs --reason" in network_command(*words).complaint
    outcome = network_command(*words, "--reason", "keys are out")
    assert outcome.code == 0, outcome
    report, end = json.JSONDecoder().raw_decode(outcome.out)
    servers = changed(report, "servers").values()
    assert len(servers) == 8
    assert all("ssh_password" in after["secrets"] for after in servers)
    published = json.loads(outcome.out[end:])
    assert published["published"] and not published["failed"]
    assert len(list((tmp_path / "hosts").glob("*/psiphond.config"))) == 8
    assert list((tmp_path / "public").glob("*/server_list_compressed"))


def test_somebody_has_to_agree() -> None:
    assert "--yes" in network_command("revoke", "OSSH").complaint
    assert len(ask("server", "list", "--capability", "OSSH")) == 8


def test_there_may_be_nothing_to_revoke() -> None:
    outcome = network_command("revoke", "--yes")  # all but SSH and OSSH: there is nothing else
    assert outcome.code == 3
    assert outcome.out.startswith("no server has any of it\n")
    assert network_command("revoke", "QUIC", "--yes").code == 2
