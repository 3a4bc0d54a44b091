"""Fresh servers for a channel from the command line."""

import pytest
from tests.unit.cli.network.asking import ask, network_command

pytestmark = pytest.mark.usefixtures("network")

_MACHINES = ("--region", "SE", "--address", "192.0.2.1", "--address", "192.0.2.2")


def roles_of(channel: str) -> dict[str, list[str]]:
    return {row["address"]: row["roles"] for row in ask("server", "list", "--channel", channel)}


def test_as_many_are_made_as_the_channel_says_and_older_ones_are_to_step_back() -> None:
    ask("channel", "set", "channel-0", "--new-propagation", 1, "--new-discovery", 1)
    report = ask("replace", "--channel", "channel-0", *_MACHINES, "--yes")
    assert len(report["created"]) == 2
    found = roles_of("channel-0")
    assert (found["192.0.2.1"], found["192.0.2.2"]) == (["discovery"], ["propagation"])
    assert found["198.18.0.2"] == ["propagation"]
    assert found["198.18.0.3"] == ["discovery"]
    assert report["to_step_back"]["channel"] == {"channel-0": 1}


def test_numbers_and_roles_may_be_given() -> None:
    ask("replace", "--channel", "channel-0", *_MACHINES, "--osl", 1, "--osl-id", "AA", "--yes")
    assert roles_of("channel-0")["192.0.2.1"] == ["osl"]
    wrong = ("--discovery", 1, "--osl-id", "AA")
    assert network_command("replace", "--channel", "channel-0", *_MACHINES, *wrong, "--yes").code == 2


def test_somebody_has_to_agree() -> None:
    outcome = network_command("replace", "--channel", "channel-0", *_MACHINES, "--propagation", 2)
    assert "--yes" in outcome.complaint
    assert outcome.out.startswith("2 servers to be made:\n")
    assert len(roles_of("channel-0")) == 4


def test_a_channel_that_wants_none_and_machines_that_are_too_few_are_mistakes() -> None:
    assert (
        "asks for no new servers"
        in network_command("replace", "--channel", "channel-0", *_MACHINES, "--yes").complaint
    )
    assert (
        "3 servers are to be made"
        in network_command(
            "replace", "--channel", "channel-0", *_MACHINES, "--propagation", 3, "--yes"
        ).complaint
    )
