"""Files of notices: what goes where, when one begins anew, and disks that take no more."""

import io
import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from headrace.base.clock import SYSTEM_CLOCK
from headrace.client.notice_files import DEFAULT_SIZE, DEFAULT_SYNC, NoticeFiles
from headrace.client.notices import NoticeOptions, Notices
from headrace.documents.client_config import NoticeFileSettings

ALL = NoticeOptions(diagnostics=True, bytes_transferred=True, client_address=True)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def types(path: Path) -> list[str]:
    return [json.loads(line)["noticeType"] for line in lines(path)]


@contextmanager
def telling(directory: Path, options: NoticeOptions = ALL) -> Iterator[tuple[Notices, io.StringIO]]:
    stream = io.StringIO()
    with closing(NoticeFiles(directory)) as files:
        yield Notices(stream, SYSTEM_CLOCK, options, files), stream


# ---- what goes where


def test_home_pages_and_diagnosis_leave_the_stream(tmp_path: Path) -> None:
    with telling(tmp_path) as (notices, stream):
        notices.emit("Homepage", url="https://home.example/")
        notices.info("for diagnosis")
        notices.emit("Tunnels", count=1)
        told = [json.loads(line)["noticeType"] for line in stream.getvalue().splitlines()]
    assert told == ["Tunnels"]
    assert types(tmp_path / "homepage") == ["Homepage"]
    assert types(tmp_path / "notices") == ["Info", "Tunnels"]


def test_addresses_and_traffic_go_to_no_file(tmp_path: Path) -> None:
    with telling(tmp_path) as (notices, stream):
        notices.emit("ClientAddress", address="192.0.2.7")
        notices.emit("Untunneled", address="192.0.2.8:80")
        notices.emit("BytesTransferred", diagnosticID="x", sent=1, received=2)
        notices.info("a server at 192.0.2.9:22")
        assert len(stream.getvalue().splitlines()) == 3
    assert types(tmp_path / "notices") == ["Info"]
    assert "192.0.2" not in (tmp_path / "notices").read_text()


def test_what_is_not_asked_for_is_not_in_files_either(tmp_path: Path) -> None:
    with telling(tmp_path, NoticeOptions()) as (notices, _):
        notices.info("for diagnosis")
    assert lines(tmp_path / "notices") == []


def test_files_are_json_whatever_the_stream_is(tmp_path: Path) -> None:
    with telling(tmp_path, NoticeOptions(human=True)) as (notices, stream):
        notices.emit("Tunnels", count=1)
        assert ' Tunnels {"count":1}' in stream.getvalue()
    assert types(tmp_path / "notices") == ["Tunnels"]


# ---- home pages


def test_each_set_of_home_pages_replaces_the_one_before(tmp_path: Path) -> None:
    with closing(NoticeFiles(tmp_path)) as files:
        files.write_homepage("a")
        files.write_homepage("b")
        assert lines(tmp_path / "homepage") == ["a", "b"]
        files.write("another notice")
        assert lines(tmp_path / "homepage") == ["a", "b"]
        files.write_homepage("c")
        assert lines(tmp_path / "homepage") == ["c"]
    with closing(NoticeFiles(tmp_path)) as files:
        assert lines(tmp_path / "homepage") == ["c"]
        files.write_homepage("d")
        assert lines(tmp_path / "homepage") == ["d"]


# ---- rotation


def test_a_file_is_put_aside_before_it_is_too_large(tmp_path: Path) -> None:
    with closing(NoticeFiles(tmp_path, NoticeFileSettings(rotating_file_size=10))) as files:
        for line in ("1234", "5678", "9", "é" * 5, "x" * 50, "y"):
            files.write(line)
            assert (tmp_path / "notices").stat().st_size <= max(10, len(line.encode()) + 1)
    assert lines(tmp_path / "notices") == ["y"]
    assert lines(tmp_path / "notices.1") == ["x" * 50]


def test_a_file_of_an_earlier_run_counts(tmp_path: Path) -> None:
    (tmp_path / "notices").write_text("12345678\n")
    with closing(NoticeFiles(tmp_path, NoticeFileSettings(rotating_file_size=10))) as files:
        files.write("9")
    assert (lines(tmp_path / "notices.1"), lines(tmp_path / "notices")) == (["12345678"], ["9"])


def test_a_file_that_cannot_be_put_aside_is_emptied(tmp_path: Path) -> None:
    (tmp_path / "notices.1").mkdir()
    with closing(NoticeFiles(tmp_path, NoticeFileSettings(rotating_file_size=10))) as files:
        for line in ("1234", "5678", "9"):
            files.write(line)
    assert lines(tmp_path / "notices") == ["9"]


def test_zero_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    with closing(NoticeFiles(tmp_path)) as files:
        for _ in range(DEFAULT_SYNC - 1):
            files.write("x" * 1000)
        assert synced == []
        files.write("x")
        assert len(synced) == 1
        while not (tmp_path / "notices.1").exists():
            files.write("x" * 1000)
    assert DEFAULT_SIZE - 1002 < (tmp_path / "notices.1").stat().st_size <= DEFAULT_SIZE


def test_lines_are_synced_as_often_as_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    with closing(NoticeFiles(tmp_path, NoticeFileSettings(rotating_sync_frequency=3))) as files:
        for _ in range(7):
            files.write("x")
        assert len(synced) == 2
        files.write_homepage("y")
        assert len(synced) == 3


# ---- modes and mishaps


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    (tmp_path / "homepage").touch(mode=0o644)
    with closing(NoticeFiles(tmp_path, NoticeFileSettings(rotating_file_size=1))) as files:
        files.write("a")
        files.write("b")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"homepage": 0o600, "notices": 0o600, "notices.1": 0o600}


@pytest.mark.parametrize("name", ["homepage", "notices"])
def test_a_place_that_cannot_be_used(name: str, tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    (tmp_path / name).mkdir()
    with pytest.raises(IsADirectoryError):
        NoticeFiles(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_full_disk_costs_lines_and_nothing_else(tmp_path: Path) -> None:
    for name in ("homepage", "notices"):
        (tmp_path / name).symlink_to("/dev/full")
    with telling(tmp_path) as (notices, stream):
        for count in range(300):
            notices.emit("Homepage", url="https://home.example/")
            notices.emit("Tunnels", count=count)
        assert len(stream.getvalue().splitlines()) == 300


def test_a_line_that_was_cut_off_does_not_spoil_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    room = 6

    def scarce(handle: int, data: bytes) -> int:
        nonlocal room
        if not room:
            raise OSError("No space left on device")
        written = write(handle, data[:room])
        room -= written
        return written

    with closing(NoticeFiles(tmp_path)) as files:
        monkeypatch.setattr(os, "write", scarce)
        for line in ("abc", "def", "ghi"):
            files.write(line)
        room = 100
        files.write("jkl")
        files.write("mno")
    assert lines(tmp_path / "notices") == ["abc", "de", "jkl", "mno"]


def test_a_line_that_an_earlier_run_left_unfinished(tmp_path: Path) -> None:
    (tmp_path / "notices").write_text('{"data":')
    with closing(NoticeFiles(tmp_path)) as files:
        files.write("x")
    assert lines(tmp_path / "notices") == ['{"data":', "x"]


@pytest.mark.parametrize("take", [os.unlink, lambda path: os.rename(path, f"{path}.old")])
def test_a_file_that_somebody_takes_away_is_there_again_when_it_would_be_full(
    take: Callable[[Path], None], tmp_path: Path
) -> None:
    with closing(NoticeFiles(tmp_path, NoticeFileSettings(rotating_file_size=5))) as files:
        files.write("a")
        take(tmp_path / "notices")
        for line in ("b", "1234"):
            files.write(line)
    assert lines(tmp_path / "notices") == ["1234"]
