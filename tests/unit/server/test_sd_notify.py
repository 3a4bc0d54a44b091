"""What the service manager is told, on a real socket."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.server.sd_notify import Notifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """A service manager's socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(5)
        yield listener


def notifier(manager: socket.socket, **more: str) -> Notifier:
    return Notifier({"NOTIFY_SOCKET": manager.getsockname(), **more})


def told(manager: socket.socket) -> list[str]:
    return manager.recv(4096).decode().split("\n")


def test_readiness_reload_and_end(manager: socket.socket) -> None:
    ours = notifier(manager)
    ours.ready("serving")
    assert told(manager) == ["READY=1", "STATUS=serving"]
    before = time.monotonic_ns() // 1000
    ours.reloading()
    word, moment = told(manager)
    assert word == "RELOADING=1"
    assert before <= int(moment.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000
    ours.alive()
    assert told(manager) == ["WATCHDOG=1"]
    ours.stopping(35)
    assert told(manager) == ["STOPPING=1", "STATUS=draining", "EXTEND_TIMEOUT_USEC=35000000"]


def test_a_socket_in_the_abstract_namespace() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0headrace-test-{os.getpid()}")
        Notifier({"NOTIFY_SOCKET": f"@headrace-test-{os.getpid()}"}).alive()
        listener.settimeout(5)
        assert listener.recv(100) == b"WATCHDOG=1"


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
        ({}, 0.0),
    ],
)
def test_how_often_a_sign_of_life_is_wanted(
    manager: socket.socket, environment: dict[str, str], seconds: float
) -> None:
    assert notifier(manager, **environment).watchdog == seconds


@pytest.mark.parametrize("path", ["", "/nonexistent/socket", "x" * 200])
def test_nobody_listens(path: str) -> None:
    Notifier({"NOTIFY_SOCKET": path}).ready("serving")


def test_a_manager_that_does_not_read_is_not_waited_for(manager: socket.socket) -> None:
    ours = notifier(manager)
    for _ in range(5000):
        ours.alive()
    assert told(manager) == ["WATCHDOG=1"]
