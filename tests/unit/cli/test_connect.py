"""A link given to `headrace connect` is judged before a client is started."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from headrace.base.errors import DocumentError, OperatorError
from headrace.cli import connect as connect_module
from headrace.cli.root import headrace
from headrace.documents.access_link import LinkExpired, make_link

NAMES = {"PropagationChannelId": "F" * 16, "SponsorId": "F" * 16}
EXPIRED = make_link(NAMES, datetime(2020, 1, 2, 3, 4, tzinfo=UTC))


@pytest.fixture(autouse=True)
def no_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def start(*_: object) -> None:
        raise AssertionError("a client was started")

    monkeypatch.setattr(connect_module, "Background", start)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def problem(*words: str) -> BaseException | None:
    return CliRunner().invoke(headrace, ["connect", *words]).exception


def test_an_expired_link_is_refused_before_a_client_is_started(tmp_path: Path) -> None:
    expired = problem(EXPIRED)
    assert isinstance(expired, LinkExpired)
    assert "good until 2020-01-02 03:04 UTC; ask whoever gave it to you for a new one" in str(expired)
    assert not list(tmp_path.rglob("access.link"))


def test_an_expired_link_in_a_file_is_refused_as_well(tmp_path: Path) -> None:
    file = tmp_path / "from-ann.txt"
    file.write_text(f"<{EXPIRED}>\n")
    assert isinstance(problem(str(file)), LinkExpired)


def test_a_damaged_link_is_refused() -> None:
    damaged = problem(EXPIRED[:-3])
    assert isinstance(damaged, DocumentError)
    assert "damaged or not whole" in str(damaged)


def test_a_link_and_a_configuration_are_one_too_many(tmp_path: Path) -> None:
    refused = problem("--config", str(tmp_path / "client.config"), EXPIRED)
    assert isinstance(refused, OperatorError)
    assert "leave --config, --entry and --link out" in str(refused)


def test_a_file_without_a_link_is_told(tmp_path: Path) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("hello")
    refused = problem(str(file))
    assert isinstance(refused, OperatorError)
    assert "holds no access link; those begin with headrace://connect/" in str(refused)
