"""Where a running client is found, and who may be there."""

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from headrace.base.errors import OperatorError
from headrace.client.control_place import AlreadyRunning, ControlPlace, check_name, places, usable_place


@pytest.fixture(autouse=True)
def _own_directories(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))


def made(tmp_path: Path, name: str = "default") -> ControlPlace:
    place = ControlPlace(tmp_path / "c", name)
    place.make()
    return place


def test_only_its_user_can_enter(tmp_path: Path) -> None:
    place = made(tmp_path)
    assert os.stat(place.directory).st_mode & 0o777 == 0o700
    assert place.is_ours()
    with place.held():
        assert os.stat(place.directory / "default.lock").st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o750, 0o701, 0o777])
def test_a_directory_that_others_can_enter(tmp_path: Path, mode: int) -> None:
    place = ControlPlace(tmp_path / "c")
    place.directory.mkdir()
    place.directory.chmod(mode)
    assert not place.is_ours()
    with pytest.raises(OperatorError, match="only you can enter"):
        place.make()


def test_a_link_to_a_directory(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "c").symlink_to(tmp_path / "real")
    with pytest.raises(OperatorError, match="only you can enter"):
        made(tmp_path)


def test_a_directory_of_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = made(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 12_345)
    assert not place.is_ours()


def test_a_file_where_the_directory_should_be(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("")
    with pytest.raises((OperatorError, FileExistsError)):
        made(tmp_path)


def test_no_two_of_a_name(tmp_path: Path) -> None:
    with made(tmp_path).held():
        with pytest.raises(AlreadyRunning, match=r'"default" is running already.*--name'):
            with made(tmp_path).held():
                pass
        with made(tmp_path, "other").held():
            pass
    with made(tmp_path).held():
        pass


def test_a_socket_that_a_killed_client_left_is_removed(tmp_path: Path) -> None:
    place = made(tmp_path)
    place.socket.write_text("left")
    with place.held():
        assert not place.socket.exists()
        place.socket.write_text("its own")
    assert not place.socket.exists()


def test_the_name_is_free_once_its_process_is_killed(tmp_path: Path) -> None:
    place = made(tmp_path)
    code = (
        "import sys; from pathlib import Path; from headrace.client.control_place import ControlPlace\n"
        "with ControlPlace(Path(sys.argv[1])).held(): print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(place.directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(AlreadyRunning), place.held():
            pass
        holder.kill()
        holder.wait()
    with place.held():
        pass


def test_starting_is_done_one_after_the_other(tmp_path: Path) -> None:
    place, order = made(tmp_path), []

    def start() -> None:
        with made(tmp_path).starting():
            order.append("second")

    other = threading.Thread(target=start)
    with place.starting():
        other.start()
        other.join(0.05)
        order.append("first")
    other.join()
    assert order == ["first", "second"]


def test_nobody_is_led_elsewhere_by_a_link_in_place_of_the_lock(tmp_path: Path) -> None:
    place = made(tmp_path)
    (place.directory / "default.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OperatorError, match=r"default\.lock cannot be opened"), place.held():
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_where_the_last_client_kept_its_files(tmp_path: Path) -> None:
    place = made(tmp_path)
    assert place.data() is None
    place.remember_data(Path("/some/where é"))
    assert made(tmp_path).data() == Path("/some/where é")
    assert made(tmp_path, "other").data() is None


@pytest.mark.parametrize("note", [b"", b"relative", b"/with\0null"])
def test_a_note_that_is_none(tmp_path: Path, note: bytes) -> None:
    place = made(tmp_path)
    (place.directory / "default.data").write_bytes(note)
    assert place.data() is None


def test_a_note_in_a_directory_that_others_can_write_counts_for_nothing(tmp_path: Path) -> None:
    place = made(tmp_path)
    place.remember_data(Path("/some/where"))
    place.directory.chmod(0o777)
    assert place.data() is None


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "-n", "a" * 33, "ä", "a\n", "a.b"])
def test_a_name_that_is_no_name_for_a_file(name: str) -> None:
    with pytest.raises(OperatorError, match="--name"):
        check_name(name)


def test_a_path_too_long_for_a_socket(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="shorter directory"):
        ControlPlace(tmp_path / ("x" * 120)).make()


def test_the_runtime_directory_comes_first(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert usable_place("work").socket == tmp_path / "run" / "headrace" / "work.socket"


def test_without_a_runtime_directory_there_is_one_for_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert usable_place().directory == tmp_path / f"headrace-{os.geteuid()}"
    assert [place.directory for place in places()] == [usable_place().directory]


def test_a_runtime_directory_that_is_not_there_or_relative(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert usable_place().directory == tmp_path / f"headrace-{os.geteuid()}"  # tmp_path/run is missing
    assert len(places()) == 2
    monkeypatch.setenv("XDG_RUNTIME_DIR", "run")
    assert len(places()) == 1


def test_nowhere_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / "missing"))
    with pytest.raises(OperatorError, match=r"no directory for the control socket.*XDG_RUNTIME_DIR"):
        usable_place()


def test_a_directory_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run").mkdir()
    usable_place()
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: "run" not in str(path) and real(path, mode))
    assert usable_place().directory == tmp_path / f"headrace-{os.geteuid()}"
