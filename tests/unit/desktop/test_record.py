"""What has been changed, on the disk."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.base.errors import OperatorError
from headrace.desktop.record import Record, RecordFile, replace_file

RECORD = Record("gnome", {"mode": "'none'", "pac": None}, {"mode": "'manual'", "pac": "größe"})


def test_written_read_removed(tmp_path: Path) -> None:
    directory = tmp_path / "directory"
    directory.mkdir()
    file = RecordFile(directory / "record.json")
    assert file.read() is None
    file.write(RECORD)
    assert file.read() == RECORD
    assert file.path.stat().st_mode & 0o777 == 0o600
    file.remove()
    assert file.read() is None
    file.remove()
    assert os.listdir(directory) == []


def test_it_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace

    def watched_fsync(handle: int) -> None:
        steps.append("directory" if os.path.isdir(f"/proc/self/fd/{handle}") else "file")
        fsync(handle)

    def watched_replace(old: Path, new: Path) -> None:
        steps.append("replace")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    file = RecordFile(tmp_path / "record.json")
    file.write(RECORD)
    file.remove()
    assert steps == ["file", "replace", "directory", "directory"]


def test_what_an_earlier_write_left_is_no_hindrance(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("kept")
    (tmp_path / "file.new").symlink_to(victim)
    replace_file(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert victim.read_text() == "kept"


def test_places_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    for path in tmp_path / "directory", tmp_path / "missing" / "file":
        with pytest.raises(OperatorError, match="cannot be written"):
            RecordFile(path).write(RECORD)
    for action in RecordFile(tmp_path / "directory").read, RecordFile(tmp_path / "directory").remove:
        with pytest.raises(OperatorError, match="cannot be"):
            action()


@given(st.binary())
def test_garbage(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "garbage.json"
    path.write_bytes(data)
    with pytest.raises(OperatorError, match="is damaged"):
        RecordFile(path).read()
