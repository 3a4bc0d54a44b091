"""`headrace explain` when no client runs: which journal it is about, and how it fits a terminal."""

import os
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from headrace.base.errors import OperatorError
from headrace.cli.root import headrace
from headrace.client.control_place import ControlPlace, usable_place
from headrace.client.data_directory import DataDirectory, default_data_directory
from headrace.client.journal_file import JournalFile
from headrace.establishment.journal import Outcome, Record, Trial


@pytest.fixture(autouse=True)
def _own_directories(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.chdir(tmp_path)


def trial(number: int = 1) -> Trial:
    return Trial(
        number=number,
        server="AbCdEfGh",
        region="NL",
        protocol="OSSH",
        began=0.0,
        took=1.0,
        reached="dialling",
        outcome=Outcome.FAILED,
        reason="nobody answered for a long time, and then for longer still",
    )


def left(root: Path, seconds: float, *, at: float) -> None:
    """A client kept its files in `root`, and last wrote at this time."""
    directory = DataDirectory(root)
    directory.path.mkdir(parents=True)
    write(JournalFile(directory.path), seconds, at)


def write(file: JournalFile, seconds: float, at: float) -> None:
    file.write(Record(begun=1_700_000_000.0, seconds=seconds, finished=True, trials=[trial()]))
    os.utime(file.path, (at, at))


def place(name: str = "default") -> ControlPlace:
    return usable_place(name)


def explain(*options: str, width: int = 80) -> Result:
    return CliRunner(env={"COLUMNS": str(width)}).invoke(headrace, ["explain", *options])


def test_of_a_directory_that_was_named_relative_to_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left(tmp_path / "mine", 7, at=1000)
    place().remember_data(DataDirectory(Path("mine")).path)
    monkeypatch.chdir("/")
    assert "after 7.0 s" in explain().output


def test_without_a_tunnel_yet_there_is_nothing_of_former_clients(tmp_path: Path) -> None:
    left(default_data_directory(), 3, at=1000)
    (tmp_path / "mine").mkdir()
    result = explain("--data-root-directory", "mine")
    assert isinstance(result.exception, OperatorError)
    assert "in mine yet" in str(result.exception)


@pytest.mark.parametrize(("background", "told"), [(2000, "after 7.0 s"), (500, "after 3.0 s")])
def test_the_newest_counts_whether_it_ran_in_the_foreground_or_not(
    background: int, told: str, tmp_path: Path
) -> None:
    left(default_data_directory(), 3, at=1000)
    left(tmp_path / "mine", 7, at=background)
    place().remember_data(DataDirectory(tmp_path / "mine").path)
    assert told in explain().output


def test_names_do_not_mix() -> None:
    left(default_data_directory(), 3, at=1000)
    for name, seconds in (("one", 5), ("two", 6)):  # neither has a directory of its own
        there = place(name)
        there.remember_data(there.directory)
        write(JournalFile(there.directory, name), seconds, at=2000 + seconds)
    assert "after 5.0 s" in explain("--name", "one").output
    assert "after 6.0 s" in explain("--name", "two").output
    assert "after 3.0 s" in explain().output
    assert isinstance(explain("--name", "three").exception, OperatorError)


def test_somebody_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobodys() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setattr(Path, "home", nobodys)
    assert isinstance(explain().exception, OperatorError)
    there = place()
    there.remember_data(there.directory)
    write(JournalFile(there.directory, "default"), 5, at=1000)
    assert "after 5.0 s" in explain().output


def test_output_that_is_no_terminal_is_not_broken_at_its_width(tmp_path: Path) -> None:
    left(tmp_path / "mine", 7, at=1000)
    lines = explain("--data-root-directory", "mine", width=40).output.splitlines()
    assert any(line.rstrip().endswith("and then for longer still") and "AbCdEfGh" in line for line in lines)


@pytest.mark.parametrize("width", [30, 60, 80, 90, 200])
def test_nothing_is_lost_in_a_narrow_terminal(
    width: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # what rich takes for a terminal
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    left(tmp_path / "mine", 7, at=1000)
    lines = explain("--data-root-directory", "mine", width=width).output.splitlines()
    words = " ".join(lines).split()
    assert {"AbCdEfGh", "answered", "longer", "still"} <= {word.strip(",.:") for word in words}
