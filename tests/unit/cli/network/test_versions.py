"""Versions of the client from the command line."""

import pytest
from tests.unit.cli.network.asking import ask, network_command

pytestmark = pytest.mark.usefixtures("network")


def test_the_next_version_is_added_unless_its_number_is_given() -> None:
    assert ask("client-version", "add", "windows", "--note", "mended")["version"] == 8
    assert ask("client-version", "add", "Android", 412)["version"] == 412
    assert [(row["platform"], row["version"]) for row in ask("client-version", "list")] == [
        ("Android", 412),
        ("Windows", 8),
        ("Windows", 7),
    ]


def test_versions_only_grow() -> None:
    outcome = network_command("client-version", "add", "Windows", 7)
    assert outcome.code == 2
    assert "not above" in outcome.complaint
