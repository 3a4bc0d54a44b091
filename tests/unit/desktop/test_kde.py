"""KDE's settings, with its own programs on a file of settings."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.interop.programs import missing
from tests.unit.desktop.memory_desktop import Script

from headrace.base.errors import OperatorError
from headrace.desktop.kde import Kde
from headrace.desktop.settings import LOCAL_NETWORKS, Proxies

PROXIES = Proxies("127.0.0.1", 8080, 1080)


@pytest.fixture
def kde(home: Path) -> Kde:
    for version in "6", "5":
        if shutil.which(f"kwriteconfig{version}"):
            (home / "config").mkdir()
            return Kde(version=version)
    missing("kwriteconfig6 or kwriteconfig5")


def test_what_programs_see(kde: Kde, home: Path) -> None:
    (home / "config" / "kioslaverc").write_text("[Other]\nkept=1\n")
    kde.write(kde.settings(PROXIES))
    assert (home / "config" / "kioslaverc").read_text().splitlines() == [
        "[Other]",
        "kept=1",
        "",
        "[Proxy Settings]",
        f"NoProxyFor=localhost,.local,{','.join(LOCAL_NETWORKS)}",
        "ProxyType=1",
        "ReversedException=false",
        "httpProxy=http://127.0.0.1 8080",
        "httpsProxy=http://127.0.0.1 8080",
        "socksProxy=socks://127.0.0.1 1080",
    ]


@pytest.mark.parametrize(
    "proxies", [PROXIES, Proxies("192.0.2.1", None, 1080), Proxies("127.0.0.1", 8080, None)]
)
def test_what_is_written_is_read(kde: Kde, proxies: Proxies) -> None:
    settings = kde.settings(proxies)
    kde.write(settings)
    assert kde.read() == settings


def test_anything_that_was_there_can_be_put_back(kde: Kde, home: Path) -> None:
    assert set(kde.read().values()) == {None}
    before = {
        **kde.read(),
        "http": 'http://it\'s a "proxy" 1',
        "bypass": "--delete",
        "socks": "",
        "mode": "2",
    }
    kde.write(before)
    assert kde.read() == before
    kde.write(kde.settings(PROXIES))
    kde.write(before)
    assert kde.read() == before
    kde.write(dict.fromkeys(before))
    assert (home / "config" / "kioslaverc").read_text().strip() == ""


def test_the_mode_comes_last_and_programs_are_told() -> None:
    script = Script()
    kde = Kde(script, "6")
    kde.write(kde.settings(PROXIES))
    assert script.commands[0] == (
        "kwriteconfig6 --file kioslaverc --group Proxy Settings --key httpProxy -- http://127.0.0.1 8080"
    )
    assert script.commands[-2:] == [
        "kwriteconfig6 --file kioslaverc --group Proxy Settings --key ProxyType -- 1",
        "dbus-send --type=signal /KIO/Scheduler org.kde.KIO.Scheduler.reparseSlaveConfiguration string:",
    ]


def test_nobody_to_tell() -> None:
    def run(command: Sequence[str]) -> str:
        if command[0] == "dbus-send":
            raise OperatorError("dbus-send is not installed")
        return ""

    Kde(run, "5").write({"mode": "0"})
