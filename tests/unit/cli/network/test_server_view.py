"""What an operator sees of servers."""

import pytest
from tests.unit.cli.network.asking import ask, network_command

from headrace.cli.network.server_view import ROLES, STATUSES
from headrace.network.model import Status
from headrace.network.strategy.roles import Role

pytestmark = pytest.mark.usefixtures("network")


def test_the_words_for_roles_and_statuses_are_the_models() -> None:
    assert set(ROLES) == set(Role)
    assert STATUSES == tuple(Status)


def test_all_servers_are_listed_by_name() -> None:
    rows = ask("server", "list")
    assert len(rows) == 8
    assert [row["name"] for row in rows] == sorted(row["name"] for row in rows)
    assert {row["provider"] for row in rows} == {"stratus-hosting"}


@pytest.mark.parametrize(
    ("option", "value", "addresses"),
    [
        ("--channel", "channel-1", {"198.18.0.5", "198.18.0.6", "198.18.0.7", "198.18.0.8"}),
        ("--role", "osl", {"198.18.0.4", "198.18.0.8"}),
        ("--region", "fr", {"198.18.0.2", "198.18.0.6"}),
        ("--status", "gone", set()),
        ("--capability", "quic", set()),
    ],
)
def test_servers_are_listed_by_what_they_have(option: str, value: str, addresses: set[str]) -> None:
    assert {row["address"] for row in ask("server", "list", option, value)} == addresses


def test_conditions_hold_together_and_nothing_is_said_in_words() -> None:
    assert len(ask("server", "list", "--role", "osl", "--channel", "channel-0")) == 1
    outcome = network_command("server", "list", "--role", "osl", "--region", "CH")
    assert (outcome.code, outcome.out) == (0, "there are no such servers\n")


def test_a_channel_that_is_not_there_is_a_mistake() -> None:
    outcome = network_command("server", "list", "--channel", "chanel-0")
    assert outcome.code == 2
    assert "did you mean channel-0" in outcome.complaint


def test_what_is_shown_of_a_server_has_no_secret() -> None:
    facts = ask("server", "show", "198.18.0.1")
    assert facts["roles"] == ["permanent"]
    assert facts["published"] is True
    assert facts["ports"] == {"SSH": 2000, "OSSH": 3000}
    assert facts["host"] == "machine-00000"
    assert facts["channel"] == "channel-0"
    assert "obfuscation_key" in facts["secrets"]
    assert "obfuscation_key" not in facts
    assert "PRIVATE KEY" not in network_command("server", "show", "198.18.0.1").out


def test_a_person_reads_ports_as_they_are_written_and_none_that_is_not_there() -> None:
    lines = network_command("server", "show", "198.18.0.1").lines
    assert any(line.split() == ["ports", "SSH:", "2000;", "OSSH:", "3000"] for line in lines)
    assert not any(line.startswith("quic port") for line in lines)


def test_a_server_is_found_by_its_name_with_hyphens_and_by_its_tag() -> None:
    facts = ask("server", "show", "198.18.0.3")
    for name in (facts["pseudonym"].replace(" ", "-"), facts["tag"]):
        assert ask("server", "show", name) == facts


def test_it_is_explained_who_can_learn_of_a_server() -> None:
    ways = ask("server", "explain", "198.18.0.3")
    assert [(way["route"], way["open"]) for way in ways] == [
        ("hosts", True),
        ("discovery", True),
        ("known", True),
    ]
    assert ways[1]["until"] == "2027-01-21T08:00:00+00:00"
    sampled = ask("server", "explain", "198.18.0.1")
    assert {way["channel"] for way in sampled if way["route"] == "list"} == {
        "Testing",
        "channel-0",
        "channel-1",
    }


def test_of_a_paused_server_it_is_explained_why_nobody_learns() -> None:
    ask("server", "pause", "198.18.0.3")
    ways = ask("server", "explain", "198.18.0.3")
    assert ways[0]["who"] == "nobody who does not know it: the server is paused"
