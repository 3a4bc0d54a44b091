"""Sponsors from the command line."""

import json
from pathlib import Path

import pytest
from tests.unit.cli.network.asking import ask, changed, network_command

pytestmark = pytest.mark.usefixtures("network")

PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00:~\x9bU"
    b"\x00\x00\x00\nIDATx\x9cc`\x00\x00\x00\x02\x00\x01H\xaf\xa4q\x00\x00\x00\x00IEND\xaeB`\x82"
)


def test_sponsors_are_listed_with_the_regions_they_have_pages_for() -> None:
    (row,) = ask("sponsor", "list")
    assert (row["name"], row["default"], row["campaigns"], row["home_pages"]) == (
        "sponsor-0",
        True,
        2,
        ["None"],
    )


def test_a_sponsor_is_added_with_pages_and_becomes_the_default_if_that_is_said() -> None:
    ask("sponsor", "add", "example", "--home-page", "https://a.example/", "--home-page", "https://b.example/")
    assert ask("sponsor", "show", "example")["home_pages"] == {
        "None": ["https://a.example/", "https://b.example/"]
    }
    ask("sponsor", "set", "example", "--default")
    assert [row["default"] for row in ask("sponsor", "list")] == [True, False]


def test_a_sponsor_borrows_from_another_but_not_from_itself() -> None:
    ask("sponsor", "add", "partner", "--borrow-from", "sponsor-0")
    assert ask("sponsor", "list")[0]["borrows_from"] == "sponsor-0"
    assert network_command("sponsor", "set", "partner", "--borrow-from", "partner").code == 2
    ask("sponsor", "set", "partner", "--borrow-from", "")
    assert ask("sponsor", "show", "partner")["use_data_from"] is None


def test_alert_urls_of_a_reason_are_replaced_together() -> None:
    first = ("--alert-url", "a=https://a.example/1", "--alert-url", "a=https://a.example/2")
    ask("sponsor", "set", "sponsor-0", *first, "--alert-url", "b=https://b.example/")
    ask("sponsor", "set", "sponsor-0", "--alert-url", "b=")
    assert ask("sponsor", "show", "sponsor-0")["alert_action_urls"] == {
        "a": ["https://a.example/1", "https://a.example/2"]
    }
    assert network_command("sponsor", "set", "sponsor-0", "--alert-url", "https://a.example/").code == 2


def test_rules_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "rules.json"
    file.write_text(json.dumps([{"regex": r"^https://example\.org/", "replace": "news"}]))
    report = ask("sponsor", "set", "sponsor-0", "--https-request-rules", file)
    assert changed(report, "sponsors")["sponsor-0"]["https_request_rules"][0]["replace"] == "news"


@pytest.mark.parametrize(
    "text", ["{", "3", "[3]", '[{"regex": "x"}]', '[{"regex": "(", "replace": "x"}]'], ids=repr
)
def test_a_file_without_rules_is_said_to_be_none(text: str, tmp_path: Path) -> None:
    file = tmp_path / "rules.json"
    file.write_text(text)
    outcome = network_command("sponsor", "set", "sponsor-0", "--page-view-rules", file)
    assert outcome.code == 2
    assert "rules" in outcome.complaint or "regular expression" in outcome.complaint


def test_a_banner_has_to_be_a_picture(tmp_path: Path) -> None:
    (tmp_path / "banner.png").write_bytes(PNG)
    (tmp_path / "banner.txt").write_bytes(b"a banner")
    ask("sponsor", "set", "sponsor-0", "--client-banner", tmp_path / "banner.png")
    assert ask("sponsor", "show", "sponsor-0")["client_banner"] == f"{len(PNG)} bytes"
    outcome = network_command("sponsor", "set", "sponsor-0", "--client-banner", tmp_path / "banner.txt")
    assert (outcome.code, "PNG" in outcome.complaint) == (2, True)
