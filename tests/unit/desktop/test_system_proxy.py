"""Changing settings and putting them back: what was changed meanwhile, what fails, and who else is there."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.desktop.memory_desktop import MemoryDesktop

from headrace.base.errors import OperatorError
from headrace.desktop.record import Record
from headrace.desktop.settings import MODE, Proxies
from headrace.desktop.system_proxy import InUse, SystemProxy

PROXIES = Proxies("127.0.0.1", 8080, 1080)


@pytest.fixture
def desktop() -> MemoryDesktop:
    return MemoryDesktop()


@pytest.fixture
def settings(tmp_path: Path, desktop: MemoryDesktop) -> SystemProxy:
    return settings_of(tmp_path, desktop)


def settings_of(directory: Path, desktop: MemoryDesktop) -> SystemProxy:
    def find(name: str) -> MemoryDesktop:
        assert name == "memory"
        return desktop

    return SystemProxy(directory / "data", find)


def test_changed_and_put_back(settings: SystemProxy, desktop: MemoryDesktop) -> None:
    before = desktop.read()
    with settings.held():
        assert not settings.restore()
        settings.apply(desktop, PROXIES)
        assert desktop.values == desktop.settings(PROXIES)
        assert settings.changed() == Record("memory", before, desktop.settings(PROXIES))
        assert settings.restore()
    assert desktop.values == before
    assert settings.changed() is None
    assert desktop.written == ["http", "socks", "bypass", MODE, MODE, "bypass", "socks", "http"]


def test_the_record_comes_before_the_change(settings: SystemProxy, desktop: MemoryDesktop) -> None:
    records: list[bool] = []
    desktop.before_write = lambda name: records.append(settings.changed() is not None)
    with settings.held():
        settings.apply(desktop, PROXIES)
        settings.restore()
    assert records == [True] * 8


def test_another_process_puts_back_what_a_killed_one_left(
    tmp_path: Path, settings: SystemProxy, desktop: MemoryDesktop
) -> None:
    before = desktop.read()
    with settings.held():
        settings.apply(desktop, PROXIES)
    other = settings_of(tmp_path, desktop)
    with other.held():
        assert other.restore()
    assert desktop.values == before


@pytest.mark.parametrize(
    ("change", "after"),
    [
        ({"http": "theirs 3128"}, {"http": "theirs 3128", MODE: "manual"}),
        ({"http": "theirs 8080"}, {"http": "theirs 8080", MODE: "manual"}),
        ({MODE: "none"}, {}),
        ({MODE: "pac"}, {MODE: "pac"}),
        ({"bypass": "localhost theirs"}, {"bypass": "localhost theirs"}),
        ({"http": None, "socks": "theirs 1080"}, {"socks": "theirs 1080", MODE: "manual"}),
    ],
)
def test_what_somebody_changes_meanwhile_is_theirs(
    settings: SystemProxy, desktop: MemoryDesktop, change: dict[str, str | None], after: dict[str, str | None]
) -> None:
    before = desktop.read()
    with settings.held():
        settings.apply(desktop, PROXIES)
        desktop.values |= change
        settings.restore()
    assert desktop.values == before | after
    assert settings.changed() is None


def test_a_setting_that_is_gone_meanwhile(settings: SystemProxy, desktop: MemoryDesktop) -> None:
    with settings.held():
        settings.apply(desktop, PROXIES)
        del desktop.values["socks"]  # a network adapter that was pulled out, for instance
        settings.restore()
    assert "socks" not in desktop.values
    assert settings.changed() is None


def test_half_a_setting(settings: SystemProxy, desktop: MemoryDesktop) -> None:
    desktop.values["http"] = before = "proxy.example 3128"
    with settings.held():
        settings.apply(desktop, PROXIES)
        desktop.values["http"] = "127.0.0.1 3128"  # a kill between host and port
        settings.restore()
    assert desktop.values["http"] == before


@pytest.mark.parametrize("locked", ["http", "socks", "bypass", MODE])
def test_a_desktop_that_refuses_is_left_as_it_was(
    settings: SystemProxy, desktop: MemoryDesktop, locked: str
) -> None:
    def refuse(name: str) -> None:
        if name == locked:
            raise OperatorError("it is locked")

    before = desktop.read()
    desktop.before_write = refuse
    with settings.held(), pytest.raises(OperatorError, match="it is locked"):
        settings.apply(desktop, PROXIES)
    assert desktop.values == before
    assert settings.changed() is None


def test_a_desktop_that_does_not_keep_what_it_is_told(
    settings: SystemProxy, desktop: MemoryDesktop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desktop, "write", lambda settings: None)
    with (
        settings.held(),
        pytest.raises(OperatorError, match="do not keep what is set: http, socks, bypass, mode"),
    ):
        settings.apply(desktop, PROXIES)
    assert settings.changed() is None


def test_what_cannot_be_put_back_is_remembered(
    settings: SystemProxy, desktop: MemoryDesktop, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = desktop.read()
    with settings.held():
        settings.apply(desktop, PROXIES)
        with (
            monkeypatch.context() as patch,
            pytest.raises(OperatorError, match="cannot be put back: mode, bypass"),
        ):
            patch.setattr(desktop, "write", lambda settings: None)
            settings.restore()
        assert settings.changed() is not None
        settings.restore()
    assert desktop.values == before


def test_one_client_at_a_time(tmp_path: Path, settings: SystemProxy, desktop: MemoryDesktop) -> None:
    other = settings_of(tmp_path, desktop)
    with settings.held():
        with pytest.raises(InUse, match=f"process {os.getpid()} has them.*without --system-proxy") as caught:
            with other.held():
                pass
        assert caught.value.process == other.holder() == os.getpid()
    assert other.holder() is None
    with other.held():
        pass


def test_the_lock_ends_with_its_process(tmp_path: Path, settings: SystemProxy) -> None:
    code = """
import os, pathlib, signal, sys
from headrace.desktop.system_proxy import SystemProxy
with SystemProxy(pathlib.Path(sys.argv[1]), None).held():
    os.kill(os.getpid(), signal.SIGKILL)
"""
    command = (sys.executable, "-c", code, str(tmp_path / "data"))
    assert subprocess.run(command).returncode == -signal.SIGKILL
    with settings.held():
        pass


def test_a_directory_that_cannot_be_used(tmp_path: Path, desktop: MemoryDesktop) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(OperatorError, match="cannot be opened"), settings_of(tmp_path, desktop).held():
        pass


TEXTS = st.none() | st.sampled_from(["", "127.0.0.1 8080", "theirs 8080", "none", "manual", "localhost"])


@given(st.fixed_dictionaries(dict.fromkeys(("http", "socks", "bypass", MODE), TEXTS)), st.integers(0, 8))
def test_whatever_was_there_and_wherever_it_breaks_off(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, str | None], number: int
) -> None:
    """A kill is like this: no more is written, and the next one starts from what there is."""

    class Killed(BaseException):
        pass

    def kill(name: str) -> None:
        if len(memory.written) >= number:
            raise Killed

    memory = MemoryDesktop(**values)
    settings = settings_of(tmp_path_factory.getbasetemp(), memory)
    memory.before_write = kill
    with settings.held():
        try:
            settings.apply(memory, PROXIES)
            settings.restore()
        except Killed:
            pass
    memory.before_write = lambda name: None
    with settings.held():
        settings.restore()
    assert memory.values == values
    assert settings.changed() is None
