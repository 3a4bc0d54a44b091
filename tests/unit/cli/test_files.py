"""Files that a person names: whole or not at all."""

import os
import stat
from pathlib import Path

import pytest

from headrace.base.errors import OperatorError
from headrace.cli.files import open_output, read_file, write_keys


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with open_output(str(path)) as stream:
        stream.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError, SystemExit])
def test_breaking_off_leaves_what_was_there(failure: type[BaseException], tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(failure), open_output(str(path)) as stream:
        stream.write(b"new")
        raise failure
    assert path.read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


def test_modes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    before = os.umask(0o027)
    try:
        with open_output(str(path)):
            pass
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
    finally:
        os.umask(before)
    path.chmod(0o604)
    with open_output(str(path)):
        pass
    assert stat.S_IMODE(path.stat().st_mode) == 0o604
    with open_output(str(path), private=True):
        pass
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_device_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    with open_output(os.devnull) as stream:
        stream.write(b"gone")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "target").touch()
    (tmp_path / "link").symlink_to("target")
    with open_output(str(tmp_path / "link")) as stream:
        stream.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"


@pytest.mark.parametrize(
    ("name", "told"),
    [(".", "is a directory"), ("missing/file", "No such file"), ("file/file", "cannot be written")],
)
def test_places_where_nothing_can_be_written(name: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OperatorError, match=told), open_output(str(tmp_path / name)):
        pytest.fail("there was nothing to write to")  # pragma: no cover


def test_a_full_disk_is_told() -> None:
    with pytest.raises(OperatorError, match="/dev/full cannot be written: No space"):
        with open_output("/dev/full") as stream:
            stream.write(b"x" * 100_000)


def test_a_file_too_large_to_be_one(tmp_path: Path) -> None:
    with open(tmp_path / "file", "wb") as stream:
        stream.truncate((256 << 20) + 1)
    with pytest.raises(OperatorError, match="too large"):
        read_file(tmp_path / "file", "the list")


def test_both_keys_or_none(tmp_path: Path) -> None:
    (tmp_path / "key.pub").mkdir()
    with pytest.raises(OperatorError, match=r"key\.pub exists"):
        write_keys(str(tmp_path / "key"), "private", "public", force=False)
    assert not (tmp_path / "key").exists()


def test_a_pipe_is_written_to_under_whatever_name_it_has() -> None:
    """As in a shell: --output >(gzip > file)."""
    reading, writing = os.pipe()
    try:
        with open_output(f"/dev/fd/{writing}") as stream:
            stream.write(b"through")
        assert os.read(reading, 100) == b"through"
    finally:
        os.close(reading)
        os.close(writing)


def test_nobody_can_foresee_where_a_secret_is_drafted(tmp_path: Path) -> None:
    """In a directory that others write to, they could lay a link there."""
    drafts = set()
    for _ in range(8):
        with open_output(str(tmp_path / "key"), private=True):
            drafts |= {path.name for path in tmp_path.iterdir() if path.name != "key"}
            assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in tmp_path.iterdir())
    assert len(drafts) == 8
