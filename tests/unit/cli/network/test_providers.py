"""Providers from the command line."""

import pytest
from tests.unit.cli.network.asking import ask, network_command

pytestmark = pytest.mark.usefixtures("network")


def test_a_provider_is_added_with_its_login_kept_sealed() -> None:
    token = "a token that nobody sees"
    outcome = network_command("provider", "add", "acme", "--weight", 3, "--credentials", "-", input=token)
    assert outcome.code == 0
    assert token not in outcome.out
    assert ask("provider", "show", "acme")["secrets"] == ["credentials"]


def test_chances_follow_from_weights() -> None:
    ask("provider", "add", "acme", "--weight", 3)
    rows = {row["name"]: row for row in ask("provider", "list")}
    assert rows["acme"]["chance"] == "75%"
    assert rows["stratus-hosting"]["hosts"] == 8


def test_a_channel_has_a_weight_of_its_own_which_can_be_set_again() -> None:
    ask("provider", "set", "stratus-hosting", "--weight-for", "channel-0=5", "--weight-for", "channel-1=2")
    ask("provider", "set", "stratus-hosting", "--weight-for", "channel-0=7")
    weights = ask("provider", "show", "stratus-hosting")["weights_of_channels"]
    assert weights == {"channel-0": 7, "channel-1": 2}


@pytest.mark.parametrize("text", ["channel-0", "channel-0=many", "=3"])
def test_a_weight_needs_a_channel_and_a_number(text: str) -> None:
    assert network_command("provider", "set", "stratus-hosting", "--weight-for", text).code == 2
