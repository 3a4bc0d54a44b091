"""GNOME's settings, with its own program on a file of settings."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.interop.programs import missing, program
from tests.unit.desktop.memory_desktop import Script

from headrace.base.errors import OperatorError
from headrace.desktop.gnome import Gnome
from headrace.desktop.settings import Proxies

PROXIES = Proxies("127.0.0.1", 8080, 1080)
LISTING = """org.gnome.system.proxy autoconfig-url ''
org.gnome.system.proxy ignore-hosts ['localhost', '127.0.0.0/8', '::1']
org.gnome.system.proxy mode 'none'
org.gnome.system.proxy.http host 'proxy of ours'
org.gnome.system.proxy.http port 3128
org.gnome.system.proxy.https host ''
org.gnome.system.proxy.https port 0
org.gnome.system.proxy.socks host ''
org.gnome.system.proxy.socks port 0
"""


@pytest.fixture
def gnome() -> Gnome:
    program("gsettings")
    schemas = gsettings("list-schemas")
    return Gnome() if "org.gnome.system.proxy\n" in schemas else missing("the schema org.gnome.system.proxy")


def gsettings(*words: str) -> str:
    return subprocess.run(("gsettings", *words), capture_output=True, text=True, check=True).stdout


def test_what_programs_see(gnome: Gnome) -> None:
    gnome.write(gnome.settings(PROXIES))
    assert gsettings("get", "org.gnome.system.proxy", "mode") == "'manual'\n"
    for name, port in (("http", 8080), ("https", 8080), ("socks", 1080)):
        assert gsettings("get", f"org.gnome.system.proxy.{name}", "host") == "'127.0.0.1'\n"
        assert gsettings("get", f"org.gnome.system.proxy.{name}", "port") == f"{port}\n"
    assert "'*.local', '127.0.0.0/8', '10.0.0.0/8'" in gsettings(
        "get", "org.gnome.system.proxy", "ignore-hosts"
    )


@pytest.mark.parametrize(
    "proxies", [PROXIES, Proxies("192.0.2.1", None, 1080), Proxies("127.0.0.1", 8080, None)]
)
def test_what_is_written_is_read(gnome: Gnome, proxies: Proxies) -> None:
    settings = gnome.settings(proxies)
    gnome.write(settings)
    assert gnome.read() == settings


def test_anything_that_was_there_can_be_put_back(gnome: Gnome) -> None:
    gsettings("set", "org.gnome.system.proxy", "mode", "auto")
    gsettings("set", "org.gnome.system.proxy", "ignore-hosts", "[]")
    gsettings("set", "org.gnome.system.proxy.http", "host", 'it\'s a "proxy"')
    before = gnome.read()
    assert before["bypass"] == "@as []"
    gnome.write(gnome.settings(PROXIES))
    gnome.write(before)
    assert gnome.read() == before


def test_the_mode_comes_last() -> None:
    script = Script()
    gnome = Gnome(script)
    gnome.write(gnome.settings(PROXIES))
    assert script.commands[:2] == [
        "gsettings set org.gnome.system.proxy.http host '127.0.0.1'",
        "gsettings set org.gnome.system.proxy.http port 8080",
    ]
    assert script.commands[-1] == "gsettings set org.gnome.system.proxy mode 'manual'"
    assert len(script.commands) == 8


def test_reading_takes_one_command() -> None:
    script = Script({"gsettings list-recursively org.gnome.system.proxy": LISTING})
    assert Gnome(script).read() == {
        "http": "'proxy of ours' 3128",
        "https": "'' 0",
        "socks": "'' 0",
        "mode": "'none'",
        "bypass": "['localhost', '127.0.0.0/8', '::1']",
    }
    assert len(script.commands) == 1


def test_a_key_that_is_not_there() -> None:
    listing = LISTING.replace("mode", "modus")
    with pytest.raises(OperatorError, match=r"gsettings has no org\.gnome\.system\.proxy mode"):
        Gnome(Script({"gsettings list-recursively org.gnome.system.proxy": listing})).read()


@given(st.text())
def test_garbage(text: str) -> None:
    with pytest.raises(OperatorError):
        Gnome(Script({"gsettings list-recursively org.gnome.system.proxy": text})).read()
