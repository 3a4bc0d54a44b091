"""Old servers taken away from the command line."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.stopped_clock import StoppedClock
from tests.unit.cli.network.asking import ask, network_command

_DAY = 86_400

pytestmark = pytest.mark.usefixtures("network")


@pytest.fixture(autouse=True)
def _later(network: Path, clock: StoppedClock) -> None:
    """Forty days on, when both channels have allowed ten for lists and discovery."""
    for channel in ("channel-0", "channel-1"):
        ask("channel", "set", channel, "--max-propagation-age", 10, "--max-discovery-age", 10)
    clock.now += 40 * _DAY


def users(place: Path, **counts: Any) -> Path:
    file = place / "connected.json"
    file.write_text(json.dumps({f"198.18.0.{name[1:]}": count for name, count in counts.items()}))
    return file


def test_servers_go_by_how_many_use_them(tmp_path: Path) -> None:
    report = ask("prune", "--yes", "--connected", users(tmp_path, s2=3, s3=20, s6=100))
    assert {row["users"]: row["what"] for row in report["pruned"]} == {
        3: "remove",
        20: "drain",
        100: "keep",
        None: "unknown users, stays",
    }
    statuses = {row["address"]: row["status"] for row in ask("server", "list")}
    assert "198.18.0.2" not in statuses
    assert statuses["198.18.0.3"] == "draining"
    assert statuses["198.18.0.6"] == statuses["198.18.0.7"] == "active"


def test_without_numbers_nothing_is_taken_away() -> None:
    outcome = network_command("prune")
    assert outcome.code == 3
    assert outcome.out.count("unknown users, stays") == 4


def test_one_channel_alone_is_pruned_and_somebody_has_to_agree(tmp_path: Path) -> None:
    which = ("prune", "--channel", "channel-1", "--connected", users(tmp_path, s2=0, s6=0))
    assert "--yes" in network_command(*which).complaint
    assert ask(*which, "--yes")["removed"]["channel"] == {"channel-1": 1}
    assert len(ask("server", "list")) == 7
    assert [row["name"] for row in ask("host", "list", "--status", "removing")] == ["machine-00005"]


@pytest.mark.parametrize("text", ["[]", "{", '{"198.18.0.1": -1}', '{"198.18.0.1": "many"}', '{"nobody": 1}'])
def test_a_file_that_has_no_numbers_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "connected.json"
    file.write_text(text)
    assert network_command("prune", "--yes", "--connected", file).code == 2
