"""`headrace system-proxy`, on the settings of a shell."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.cli.running import run

from headrace.client.system_proxy import user_settings
from headrace.desktop.environment import Environment
from headrace.desktop.settings import Proxies
from headrace.desktop.system_proxy import SystemProxy


@pytest.fixture
def file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path / "headrace" / "proxy.sh"


@pytest.fixture
def changing(file: Path) -> Iterator[SystemProxy]:
    """The settings, changed by this process for as long as the test runs."""
    settings = user_settings()
    with settings.held():
        settings.apply(Environment(file), Proxies("127.0.0.1", 8080, None))
        yield settings


@pytest.fixture
def left_behind(file: Path) -> Path:
    settings = user_settings()
    with settings.held():
        settings.apply(Environment(file), Proxies("127.0.0.1", 8080, None))
    return file


def test_nothing_is_changed(file: Path) -> None:
    status = run("system-proxy", "status")
    assert not file.parent.exists()
    assert (status.code, status.out) == (3, "unchanged: no client's proxies are in the desktop's settings\n")
    restore = run("system-proxy", "restore")
    assert (restore.code, restore.out) == (0, "there is nothing to put back\n")


def test_in_use(changing: SystemProxy) -> None:
    status = run("system-proxy", "status")
    assert status.code == 0
    assert status.out == f"in use: the environment settings name the proxies of process {os.getpid()}\n"
    restore = run("system-proxy", "restore")
    assert restore.code == 1
    assert restore.complaint == f"process {os.getpid()} has them in use, and puts them back when it ends"
    assert changing.changed() is not None


def test_left_behind(left_behind: Path) -> None:
    status = run("system-proxy", "status")
    assert status.code == 1
    assert "left behind: the environment settings" in status.out
    assert "export http_proxy" in left_behind.read_text()
    restore = run("system-proxy", "restore")
    assert (restore.code, restore.out) == (0, "put back\n")
    assert "export http_proxy" not in left_behind.read_text()
    assert run("system-proxy", "status").code == 3


def test_for_programs(left_behind: Path) -> None:
    assert json.loads(run("system-proxy", "status", "--json").out) == {
        "state": "left behind",
        "desktop": "environment",
        "process": None,
    }
    with user_settings().held():
        told = json.loads(run("system-proxy", "status", "--json").out)
        assert (told["state"], told["process"]) == ("in use", os.getpid())
    run("system-proxy", "restore")
    told = json.loads(run("system-proxy", "status", "--json").out)
    assert told == {"state": "unchanged", "desktop": "", "process": None}
