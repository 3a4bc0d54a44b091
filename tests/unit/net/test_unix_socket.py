"""Unix sockets to listen on: whose they are, what they replace, and what they leave."""

import fcntl
import os
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from headrace.base.errors import OperatorError
from headrace.net.unix_socket import unix_socket


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # a path of pytest's may be too long for a socket
    return Path("s")


@contextmanager
def refused(path: Path | str, reason: str) -> Iterator[None]:
    with pytest.raises(OperatorError, match=f"^the proxy cannot listen at .*{path}: {reason}"):
        yield


def stale(path: Path, kind: int = socket.SOCK_STREAM) -> None:
    with socket.socket(socket.AF_UNIX, kind) as left:
        left.bind(str(path))


def test_it_is_for_its_owner_and_gone_afterwards(path: Path) -> None:
    old = os.umask(0)
    try:
        with unix_socket(str(path), what="the proxy") as bound:
            bound.listen()
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
    finally:
        os.umask(old)
    assert not path.exists()


def test_one_that_was_left_is_replaced(path: Path) -> None:
    stale(path)
    with unix_socket(str(path), what="the proxy") as bound:
        bound.listen()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))


@pytest.mark.parametrize("full", [False, True])
def test_one_in_use_is_left_alone(path: Path, full: bool) -> None:
    with socket.socket(socket.AF_UNIX) as live, socket.socket(socket.AF_UNIX) as waiting:
        live.bind(str(path))
        live.listen(0)
        if full:
            waiting.connect(str(path))
        with refused(path, "another program does"), unix_socket(str(path), what="the proxy"):
            pytest.fail("it is taken")
        assert path.is_socket()


def test_a_socket_of_another_kind_is_left_alone(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        with refused(path, "another program does"), unix_socket(str(path), what="the proxy"):
            pytest.fail("it is taken")
        assert path.is_socket()


def test_what_is_no_socket_is_left_alone(path: Path) -> None:
    path.write_text("precious")
    with refused(path, "there is something that is no socket"), unix_socket(str(path), what="the proxy"):
        pytest.fail("it is taken")
    assert path.read_text() == "precious"


def test_a_link_is_not_followed(path: Path) -> None:
    stale(Path("elsewhere"))
    path.symlink_to("elsewhere")
    with refused(path, "there is something that is no socket"), unix_socket(str(path), what="the proxy"):
        pytest.fail("it is taken")
    assert Path("elsewhere").is_socket()


def test_what_took_its_place_is_left_alone(path: Path) -> None:
    with unix_socket(str(path), what="the proxy"):
        path.rename("aside")  # so that its number is not given to another
        path.write_text("precious")
    assert path.read_text() == "precious"


def test_that_it_was_removed_meanwhile_is_no_harm(path: Path) -> None:
    with unix_socket(str(path), what="the proxy"):
        path.unlink()


def test_a_directory_that_is_not_there() -> None:
    with refused("/nonesuch/s", "there is no such directory"), unix_socket("/nonesuch/s", what="the proxy"):
        pytest.fail("there is no place")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has an abstract namespace")
def test_the_abstract_namespace() -> None:
    name = f"@headrace-{os.getpid()}"
    with unix_socket(name, what="the proxy") as bound:
        bound.listen()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"\0{name[1:]}")
        with refused(name, "another program does"), unix_socket(name, what="the proxy"):
            pytest.fail("it is taken")
    with unix_socket(name, what="the proxy"):
        assert not Path(name).exists()


@pytest.mark.parametrize(
    ("platform", "name", "reason"),
    [("darwin", "@a", "only Linux has names with @"), ("win32", "/a", "there are none here")],
)
def test_other_systems(monkeypatch: pytest.MonkeyPatch, platform: str, name: str, reason: str) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    with pytest.raises(OperatorError, match=reason), unix_socket(name, what="the proxy"):
        pytest.fail("it cannot be had")


def test_two_at_once_do_not_take_one_another_for_stale(path: Path) -> None:
    with unix_socket(str(path), what="the proxy"):
        with refused(path, "another program does"), unix_socket(str(path), what="the proxy"):
            pass
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))


def test_who_holds_the_directorys_lock_keeps_nobody_from_listening(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace.net.unix_socket._PATIENCE", 0.0)
    holder = os.open(".", os.O_RDONLY)  # which every user can who may look into the directory
    try:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with unix_socket(str(path), what="the proxy"):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
    finally:
        os.close(holder)
