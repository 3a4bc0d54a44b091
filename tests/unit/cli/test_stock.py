"""The deployed console client's way of writing options, and of being told of mistakes."""

import json
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from tests.notice_schema import check_notice

from headrace import __version__
from headrace.base.errors import OperatorError
from headrace.cli import client as module
from headrace.cli.root import headrace
from headrace.cli.stock import translate
from headrace.client.data_directory import DataDirectory
from headrace.client.notices import Notices
from headrace.server.generate import generate_server
from headrace.testing.peers import host_key

NETWORK = {"PropagationChannelId": "F" * 16, "SponsorId": "F" * 16}

Act = Callable[[Notices], None]


@pytest.fixture(autouse=True)
def _in_a_directory_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the command; in place of a client that connects, something is done with its notices."""

    def run(*arguments: str, act: Act = lambda notices: None) -> Result:
        monkeypatch.setattr(module, "_run", lambda assembly, *_: act(assembly.notices))
        return CliRunner().invoke(headrace, ["client", *arguments])

    return run


def entry() -> str:
    return generate_server(ip="192.0.2.1", protocols={"OSSH": 443}, host_key=host_key("rsa")).entry


def config_file(**fields: object) -> str:
    Path("client.json").write_text(json.dumps({**NETWORK, **fields}))
    return "client.json"


def notices(text: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the notices among some lines, each of which is as it is declared."""
    found = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    for notice in found:
        check_notice(notice["noticeType"], notice["data"])
    return [(notice["noticeType"], notice["data"]) for notice in found]


# ---- spelling


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("-config", ["--config"]),
        ("-config=a=b", ["--config", "a=b"]),
        ("--config=x", ["--config", "x"]),
        ("--dataRootDirectory", ["--data-root-directory"]),
        ("-serverList=", ["--server-list", ""]),
        ("-formatNotices", ["--format-notices"]),
        ("-formatNotices=true", ["--format-notices"]),
        ("--formatNotices=T", ["--format-notices"]),
        ("-formatNotices=false", []),
        ("-useNoticeFiles=1", ["--use-notice-files"]),
        ("-useNoticeFiles=0", []),
        ("-rotatingFileSize=5", ["--rotating-file-size", "5"]),
        ("-rotatingSyncFrequency", ["--rotating-sync-frequency"]),
        ("--format-notices", ["--format-notices"]),
        ("-listenInterface=any", ["--listen-interface", "any"]),
        ("-v", ["--version"]),
        ("--v", ["--version"]),
        ("-version", ["--version"]),
        ("config", ["config"]),
        ("-", ["-"]),
        ("--", ["--"]),
        ("-h", ["-h"]),
        ("-nonsense", ["--nonsense"]),
        ("-nonsense=1", ["--nonsense=1"]),
        ("--nonsense", ["--nonsense"]),
    ],
)
def test_stock_spellings(written: str, read: list[str]) -> None:
    assert translate(written) == read


@pytest.mark.parametrize("value", ["", "yes", "TrUe", "2"])
def test_a_flag_that_is_neither_true_nor_false(value: str) -> None:
    with pytest.raises(click.UsageError, match="for -formatNotices is neither true nor false"):
        translate(f"-formatNotices={value}")


@pytest.mark.parametrize("option", ["-v", "-version", "--version"])
def test_the_version_in_four_lines(option: str, run: Callable[..., Result]) -> None:
    result = run(option, "-config", "missing")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "Build Date: none",
        f"Built With: CPython {platform.python_version()}",
        "Repository: https://github.com/headrace/headrace",
        f"Revision: {__version__}",
    ]


# ---- mistakes


@pytest.mark.parametrize(
    "words", [["-config=x", "-nonsense"], ["-formatNotices=maybe"], ["-config"]], ids=str
)
def test_stock_words_that_make_no_sense_show_the_usage(words: list[str], run: Callable[..., Result]) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert "Usage: headrace client" in result.stderr


def test_other_words_that_make_no_sense_are_told_in_a_line(run: Callable[..., Result]) -> None:
    assert "Options:" not in run("--config=x", "-nonsense").stderr


def test_a_mistake_in_the_stock_spelling_is_a_notice_and_exit_code_1(run: Callable[..., Result]) -> None:
    result = run("-config", config_file(EgressRegion="Germany"))
    assert isinstance(result.exception, OperatorError)
    assert result.exception.exit_code == 1
    [(name, data)] = notices(result.stderr)
    assert name == "Error"
    assert data["message"] == str(result.exception)
    assert data["message"].startswith("client.json: EgressRegion: ")


def test_the_notice_goes_where_notices_go(run: Callable[..., Result]) -> None:
    result = run("-config", "missing", "-notices", "told")
    assert notices(result.stderr) == []
    assert [name for name, _ in notices(Path("told").read_text())] == ["Error"]
    result = run("-config", "missing", "-notices", "no/such/place", "-formatNotices")
    assert " Error {" in result.stderr


def test_a_mistake_in_our_spelling_is_for_people(run: Callable[..., Result]) -> None:
    result = run("--config", "missing")
    assert isinstance(result.exception, OperatorError)
    assert result.exception.exit_code == 2
    assert notices(result.stderr) == []


def test_a_mistake_that_comes_later_is_one_too(run: Callable[..., Result]) -> None:
    def fail(_: Notices) -> None:
        raise OperatorError("a port is taken")

    words = [config_file(), "-dataRootDirectory=."]
    result = run("-config", *words, act=fail)
    assert isinstance(result.exception, OperatorError)
    assert result.exception.exit_code == 1
    assert notices(result.stderr) == [("Error", {"message": "a port is taken"})]


# ---- what a run begins with


def test_which_program_it_is_is_told(run: Callable[..., Result]) -> None:
    result = run("-config", config_file(EmitDiagnosticNotices=True), "-dataRootDirectory=.")
    [(name, data)] = notices(result.stderr)[:1]
    assert name == "BuildInfo"
    assert data["buildInfo"]["buildRev"] == __version__


def tell(notices: Notices) -> None:
    notices.emit("Homepage", url="https://home.example/")
    notices.emit("Tunnels", count=1)
    notices.info("for diagnosis")


@pytest.mark.parametrize("by_file", [False, True])
def test_notice_files(by_file: bool, run: Callable[..., Result]) -> None:
    fields: dict[str, object] = {"EmitDiagnosticNotices": True, "DataRootDirectory": "."}
    if by_file:
        result = run("-config", config_file(UseNoticeFiles={"RotatingFileSize": 10}, **fields), act=tell)
    else:
        config = config_file(**fields)
        result = run("-config", config, "-useNoticeFiles", "-rotatingFileSize", "10", act=tell)
    assert result.exit_code == 0
    directory = DataDirectory(Path()).path
    assert notices(result.stderr) == [("Tunnels", {"count": 1})]
    assert [name for name, _ in notices((directory / "homepage").read_text())] == ["Homepage"]
    assert [name for name, _ in notices((directory / "notices").read_text())] == ["Info"]
    assert [name for name, _ in notices((directory / "notices.1").read_text())] == ["Tunnels"]


def test_notice_files_need_a_place(run: Callable[..., Result]) -> None:
    result = run("--entry", entry(), "--use-notice-files")
    assert isinstance(result.exception, OperatorError)
    assert "name one with --data-root-directory" in str(result.exception)


def test_notice_files_that_cannot_be_made(run: Callable[..., Result]) -> None:
    (DataDirectory(Path()).path / "notices").mkdir(parents=True)
    result = run("--config", config_file(DataRootDirectory="."), "--use-notice-files")
    assert isinstance(result.exception, OperatorError)
    assert "notice files" in str(result.exception)


def test_files_of_older_programs_are_moved(run: Callable[..., Result]) -> None:
    Path("list").write_text("fetched")
    assert (
        run("-config", config_file(RemoteServerListDownloadFilename="list", DataRootDirectory=".")).exit_code
        == 0
    )
    assert DataDirectory(Path()).remote_server_list.read_text() == "fetched"
