"""What a download leaves on the disk: locks, ETags, full disks, kills."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from headrace.base.errors import DocumentError, NetworkError, OperatorError
from headrace.net.partial_file import MAX_ETAG, PartialFile, usable_etag


@pytest.fixture
def destination(tmp_path: Path) -> Path:
    return tmp_path / "secret-place" / "list"


@pytest.fixture(autouse=True)
def folder(destination: Path) -> Path:
    destination.parent.mkdir()
    return destination.parent


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("etag", ['"e1"', 'W/"e1"', "e1", '"a b\tc"', '"\xff"', "x" * MAX_ETAG])
def test_etags_that_can_be_sent_back(etag: str) -> None:
    assert usable_etag(etag)


@pytest.mark.parametrize(
    "etag", ["", " ", '"e1"\n', '"e\r\nX: y"', "\0", ' "e1"', '"\u0100"', "x" * (MAX_ETAG + 1)]
)
def test_etags_that_cannot(etag: str) -> None:
    assert not usable_etag(etag)


def test_a_whole_life(destination: Path, folder: Path) -> None:
    with PartialFile(destination) as part:
        assert part.size == 0
        part.set_etag('"e1"')
        part.append(b"hello ")
        part.append(b"")
        assert part.size == 6
    assert files(folder) == {"list.part": b"hello ", "list.part.etag": b'"e1"'}
    assert stat.S_IMODE((folder / "list.part").stat().st_mode) == 0o600
    with PartialFile(destination) as part:
        assert (part.size, part.etag()) == (6, '"e1"')
        part.append(b"world")
        part.complete()
    assert files(folder) == {"list": b"hello world"}


def test_starting_over(destination: Path, folder: Path) -> None:
    with PartialFile(destination) as part:
        part.append(b"hello")
        part.truncate()
        assert part.size == 0
        part.append(b"x")
    assert files(folder) == {"list.part": b"x"}


def test_discarding(destination: Path, folder: Path) -> None:
    destination.write_bytes(b"the last one")
    with PartialFile(destination) as part:
        part.append(b"hello")
        part.discard()
        part.discard()
    assert files(folder) == {"list": b"the last one"}


@pytest.mark.parametrize("content", [None, b"", b'"e\n1"', bytes(100), b"x" * 100_000, b"\n"])
def test_an_etag_that_is_lost(content: bytes | None, destination: Path, folder: Path) -> None:
    (folder / "list.part").write_bytes(b"hello")
    if content is not None:
        (folder / "list.part.etag").write_bytes(content)
    with PartialFile(destination) as part, pytest.raises(DocumentError, match="has lost its ETag"):
        part.etag()


def test_an_etag_that_is_known_is_not_written_again(destination: Path, folder: Path) -> None:
    (folder / "list.part").write_bytes(b"hello")
    etag = folder / "list.part.etag"
    etag.write_bytes(b'"e1"')
    os.utime(etag, (1, 1))
    with PartialFile(destination) as part:
        part.set_etag('"e1"')
        assert etag.stat().st_mtime == 1
        part.set_etag('"e2"')
        assert part.etag() == '"e2"'


def test_an_etag_that_cannot_be_kept_is_none(destination: Path, folder: Path) -> None:
    (folder / "list.part.etag").mkdir()
    with PartialFile(destination) as part:
        part.set_etag('"e1"')  # and the download goes on
        part.append(b"hello")
        with pytest.raises(DocumentError):
            part.etag()


def test_one_at_a_time(destination: Path, folder: Path) -> None:
    with PartialFile(destination) as part:
        part.append(b"hello")
        with pytest.raises(NetworkError, match="being fetched already"), PartialFile(destination):
            raise AssertionError
        with PartialFile(folder / "another"):
            pass
    assert (folder / "list.part").read_bytes() == b"hello"
    with PartialFile(destination) as part:
        assert part.size == 5


def test_one_process_at_a_time(destination: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom headrace.net.partial_file import PartialFile\n"
        "with PartialFile(Path(sys.argv[1])) as part:\n    print('open', flush=True)\n    sys.stdin.read()\n"
    )
    command = (sys.executable, "-c", program, destination)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(NetworkError, match="being fetched already"), PartialFile(destination):
            raise AssertionError
        other.kill()  # what a killed process held is free again
    with PartialFile(destination) as part:
        assert part.size == 0


@pytest.mark.parametrize("ending", ["complete", "discard"])
def test_a_file_that_somebody_has_just_finished_with(
    ending: str, destination: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """We open it, they rename or remove it and let go, we lock: what we hold is not the partial file."""
    real = os.open
    with PartialFile(destination) as theirs:
        theirs.append(b"hello")

        def slow(*arguments: object) -> int:
            file = real(*arguments)  # type: ignore[arg-type]
            getattr(theirs, ending)()
            return file

        monkeypatch.setattr(os, "open", slow)
        monkeypatch.setattr("fcntl.flock", lambda *_: None)
        with pytest.raises(NetworkError, match="being fetched already"), PartialFile(destination):
            raise AssertionError
    assert files(folder) == ({"list": b"hello"} if ending == "complete" else {})


# ---- disks that refuse ------------------------------------------------------------------------------------


def test_a_full_disk_keeps_what_fits(
    destination: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, room = os.write, 7

    def write(file: int, data: memoryview) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(destination))
        written = real(file, data[: min(room, 3)])
        room -= written
        return written

    with PartialFile(destination) as part:
        monkeypatch.setattr(os, "write", write)
        with pytest.raises(OperatorError, match="cannot be kept: No space left on device") as caught:
            part.append(b"hello world")
        assert "secret-place" not in str(caught.value)
        assert part.size == 7
    assert files(folder) == {"list.part": b"hello w"}


def test_a_folder_that_is_not_there(destination: Path, folder: Path) -> None:
    folder.rmdir()
    with pytest.raises(OperatorError, match="No such file or directory") as caught, PartialFile(destination):
        raise AssertionError
    assert "secret-place" not in str(caught.value)


def test_a_folder_in_the_files_place(destination: Path, folder: Path) -> None:
    (folder / "list.part").mkdir()
    with pytest.raises(OperatorError, match="Is a directory"), PartialFile(destination):
        raise AssertionError


def test_a_folder_in_the_destinations_place(destination: Path) -> None:
    destination.mkdir()
    with PartialFile(destination) as part, pytest.raises(OperatorError, match="Is a directory"):
        part.complete()


def test_files_are_closed(destination: Path, folder: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with PartialFile(destination) as part:
            with pytest.raises(NetworkError), PartialFile(destination):
                raise AssertionError
            part.discard()
    assert len(os.listdir("/proc/self/fd")) == before
