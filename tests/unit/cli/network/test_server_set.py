"""Roles of servers from the command line."""

import pytest
from tests.unit.cli.network.asking import ask, network_command

pytestmark = pytest.mark.usefixtures("network")


def roles() -> list[str]:
    found: list[str] = ask("server", "show", "198.18.0.1")["roles"]
    return found


def test_roles_are_given_and_taken() -> None:
    ask("server", "set", "198.18.0.1", "--give", "discovery", "--take", "permanent")
    assert roles() == ["discovery"]
    assert ask("server", "show", "198.18.0.1")["discovery_start"] == "2027-01-16T00:00:00+00:00"
    ask("server", "set", "198.18.0.1", "--give", "osl", "--osl-id", "AA", "--take", "discovery")
    assert roles() == ["osl"]
    ask("server", "set", "198.18.0.1", "--take", "osl", "--give", "propagation")
    assert roles() == ["propagation"]
    ask("server", "set", "198.18.0.1", "--take", "propagation")
    assert roles() == ["retained"]


@pytest.mark.parametrize(
    "options",
    [("--give", "osl"), ("--osl-id", "AA"), ("--give", "permanent", "--take", "permanent")],
    ids=" ".join,
)
def test_what_contradicts_itself_is_refused(options: tuple[str, ...]) -> None:
    assert network_command("server", "set", "198.18.0.1", *options).code == 2


def test_addresses_besides_the_public_one_are_set() -> None:
    ask("server", "set", "198.18.0.1", "--egress-address", "192.0.2.9", "--internal-address", "")
    facts = ask("server", "show", "198.18.0.1")
    assert (facts["egress_address"], facts["internal_address"]) == ("192.0.2.9", "")
    outcome = network_command("server", "set", "198.18.0.1", "--egress-address", "nowhere")
    assert "'nowhere' is not an IP address" in outcome.err
