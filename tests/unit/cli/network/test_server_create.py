"""Servers made from the command line."""

import pytest
from tests.unit.cli.network.asking import ask, changed, network_command

pytestmark = pytest.mark.usefixtures("network")

_HERE = ("--address", "192.0.2.7", "--region", "de")


def test_a_server_is_made_and_not_told_of_before_it_was_tested() -> None:
    report = ask("server", "create", "--channel", "channel-0", "--role", "permanent", *_HERE)
    (made,) = report["created"]
    facts = ask("server", "show", "192.0.2.7")
    assert facts["pseudonym"] == made["name"]
    assert (facts["published"], facts["roles"], facts["region"]) == (False, ["permanent"], "DE")
    assert facts["ports"] == made["ports"]
    assert min(made["ports"].values()) >= 1024  # it is this machine


def test_several_are_made_at_once_with_the_ports_that_are_wanted() -> None:
    which = ("--channel", "channel-0", "--role", "discovery", "--port", "ossh=443", "--region", "NL")
    report = ask("server", "create", *which, "--address", "192.0.2.7", "--address", "2001:db8::7")
    assert [each["ports"] for each in report["created"]] == [{"OSSH": 443}, {"OSSH": 443}]
    assert ask("server", "show", "2001:db8::7")["capabilities"] == ["OSSH", "shipped-prefixes-1"]


def test_a_second_server_at_an_address_gets_other_ports() -> None:
    which = ("server", "create", "--channel", "channel-0", "--role", "permanent", *_HERE)
    drawn = [port for _ in range(4) for port in ask(*which)["created"][0]["ports"].values()]
    assert len(set(drawn)) == len(drawn)


def test_a_machine_elsewhere_needs_its_key_and_is_managed_at_its_address() -> None:
    which = ("server", "create", "--channel", "channel-0", "--role", "permanent", *_HERE)
    assert "host key" in network_command(*which, "--deployment", "native").complaint
    report = ask(*which, "--management-host-key", "ssh-ed25519 AAAA")
    (host,) = changed(report, "hosts").values()
    assert (host["deployment"], host["management_address"]) == ("native", "192.0.2.7")


def test_only_a_server_for_obfuscated_lists_is_in_some() -> None:
    which = ("server", "create", "--channel", "channel-0", *_HERE)
    assert network_command(*which, "--role", "permanent", "--osl-id", "AA").code == 2
    assert "no scheme" in network_command(*which, "--role", "osl").complaint
    ask(*which, "--role", "osl", "--osl-id", "AA")
    assert ask("server", "show", "192.0.2.7")["osl_ids"] == ["AA"]


def test_a_dry_run_names_no_server_that_will_be_another() -> None:
    which = ("server", "create", "--channel", "channel-0", "--role", "permanent", *_HERE)
    outcome = network_command(*which, "--dry-run")
    assert outcome.code == 0
    assert "made " not in outcome.out
    assert network_command("server", "show", "192.0.2.7").code == 2


@pytest.mark.parametrize("port", ["SSH", "SSH=0", "QUIC=443", "OSSH=65536"])
def test_a_port_is_of_a_protocol_that_servers_speak(port: str) -> None:
    which = ("server", "create", "--channel", "channel-0", "--role", "permanent", *_HERE)
    assert network_command(*which, "--port", port).code == 2
