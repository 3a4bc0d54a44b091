"""What is to be published, published, and said of it; with the exit codes that programs go by."""

from pathlib import Path

import pytest
from tests.unit.cli.network.asking import ask, network_command


@pytest.fixture
def published(network: Path, tmp_path: Path) -> Path:
    """A network that publishes to directories, and has."""
    for name in ("public_store", "host_store"):
        ask("setting", "set", name, (tmp_path / name).as_uri())
    for name in ("bundle_directory", "extract_directory"):
        ask("setting", "set", name, str(tmp_path / name))
    assert ask("publish")["failed"] == []
    return tmp_path


def test_everything_is_published_once(published: Path) -> None:
    assert network_command("publish").code == 3
    assert network_command("plan").code == 3
    assert len(list((published / "host_store").glob("*/psinet.json"))) == 8
    assert len(list((published / "bundle_directory").glob("*/bundle.json"))) == 2
    assert len(list((published / "extract_directory").glob("*/*.json"))) == 4


def test_a_change_says_what_is_to_be_published_and_the_plan_says_the_same(published: Path) -> None:
    report = ask("server", "pause", "198.18.0.1", "--dry-run")
    assert any(line.startswith("L ") for line in report["to_publish"])
    assert network_command("plan").code == 3  # it was a dry run
    ask("server", "pause", "198.18.0.1")
    kinds = {item["kind"] for item in ask("plan")["to_publish"]}
    assert {"list", "bundle", "host"} <= kinds
    assert ask("publish", "--only", "L")["published"] == 2
    assert "list" not in {item["kind"] for item in ask("plan")["to_publish"]}


def test_what_fails_is_said_and_tried_again(published: Path) -> None:
    ask("server", "pause", "198.18.0.1")
    public = published / "public_store"
    public.rename(published / "away")
    public.write_text("no directory")
    outcome = network_command("publish")
    assert outcome.code == 4
    status = network_command("status", "--stale", "--json")
    assert status.code == 4
    assert "publications fail" in status.out
    public.unlink()
    (published / "away").rename(public)
    assert network_command("publish").code == 0
    assert network_command("status").code == 0


def test_letters_that_mean_nothing_are_mistakes(published: Path) -> None:
    assert network_command("publish", "--only", "Q").code == 2


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("public_store", {"list", "osl"}),
        ("host_store", {"host", "psinet"}),
        ("bundle_directory", {"bundle"}),
        ("extract_directory", {"statistics", "devops", "feedback", "mail"}),
    ],
)
def test_at_another_place_everything_is_published_again(published: Path, name: str, kinds: set[str]) -> None:
    new = published / "moved"
    place = new.as_uri() if name.endswith("store") else str(new)
    ask("setting", "set", name, place, "--dry-run")
    assert network_command("plan").code == 3
    ask("setting", "set", name, place)
    assert {item["kind"] for item in ask("plan")["to_publish"]} == kinds
    ask("publish")
    old = published / name
    files = {file.relative_to(old) for file in old.rglob("*") if file.is_file()}
    assert {file.relative_to(new) for file in new.rglob("*") if file.is_file()} == files
    assert network_command("plan").code == 3
