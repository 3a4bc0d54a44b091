"""A file to whose end lines are written. How logs use it is tested with them."""

import os
from pathlib import Path

import pytest

from headrace.base.line_file import LineFile


def test_lines_go_to_the_end_whoever_else_writes(tmp_path: Path) -> None:
    path = tmp_path / "log"
    one, other = LineFile(path), LineFile(path)
    assert [file.append(b"%d\n" % number) for number in range(3) for file in (one, other)] == [True] * 6
    assert path.read_bytes() == b"0\n0\n1\n1\n2\n2\n"
    one.close()
    other.close()


def test_a_file_that_is_moved_away_is_made_anew_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = LineFile(path)
    file.append(b"before\n")
    path.rename(tmp_path / "log.1")
    file.append(b"after\n")
    assert path.read_bytes() == b"after\n"
    assert path.stat().st_mode & 0o777 == 0o600
    file.close()


def test_lost_lines_are_counted_until_one_gets_through(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "log"
    file = LineFile(path)
    assert [file.append(b"x\n"), file.append(b"x\n"), file.lost] == [False, False, 2]
    path.parent.mkdir()
    assert (file.append(b"y\n"), file.lost) == (True, 0)
    assert path.read_bytes() == b"y\n"
    file.close()


def test_half_a_line_is_lost_and_spoils_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log"
    file = LineFile(path)
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:2]))
    assert not file.append(b"first\n")
    assert file.lost == 1
    monkeypatch.setattr(os, "write", write)
    assert file.append(b"second\n")
    assert path.read_bytes() == b"fi\nsecond\n"
    file.close()


def test_opening_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        LineFile(tmp_path / "missing" / "log").open()
