"""Campaigns from the command line."""

from pathlib import Path

import pytest
from tests.unit.cli.network.asking import ask, network_command

pytestmark = pytest.mark.usefixtures("network")


def test_campaigns_are_listed_by_sponsor_and_by_channel() -> None:
    assert [row["channel"] for row in ask("campaign", "list")] == ["channel-0", "channel-1"]
    assert [row["channel"] for row in ask("campaign", "list", "--channel", "channel-1")] == ["channel-1"]
    assert len(ask("campaign", "list", "--sponsor", "sponsor-0")) == 2


def test_a_campaign_gets_a_bucket_of_its_own_and_is_found_by_it(tmp_path: Path) -> None:
    login = tmp_path / "login"
    login.write_text("who:what\n")
    which = ("--sponsor", "sponsor-0", "--channel", "channel-0", "--mechanism", "email")
    bucket = ask("campaign", "add", *which, "--languages", "fa,en", "--credentials", login)["bucket"]
    outcome = network_command("campaign", "show", bucket)
    assert "what" not in outcome.out
    facts = ask("campaign", "show", bucket)
    assert (facts["channel"], facts["languages"], facts["secrets"]) == (
        "channel-0",
        ["fa", "en"],
        ["credentials"],
    )


def test_the_same_campaign_is_not_added_twice() -> None:
    which = ("--sponsor", "sponsor-0", "--channel", "channel-0", "--mechanism", "email")
    ask("campaign", "add", *which)
    assert "already" in network_command("campaign", "add", *which).complaint


def test_lists_are_emptied_by_an_empty_text() -> None:
    bucket = ask("campaign", "list")[0]["bucket"]
    ask("campaign", "set", bucket, "--platforms", "android,windows")
    ask("campaign", "set", bucket, "--platforms", "")
    assert ask("campaign", "show", bucket)["platforms"] == []
