"""What the client's options make of its configuration, and that a password is told to nobody."""

import os
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from headrace.base.errors import OperatorError
from headrace.cli import connect as connect_module
from headrace.cli.config_options import config_options, given_fields
from headrace.cli.root import headrace

SECRET = "hunter2"
USER = f"anna:{SECRET}:x"


@pytest.fixture(autouse=True)
def _an_environment_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEADRACE_PROXY_USER", raising=False)


def fields(*words: str) -> dict[str, object]:
    """Return what a command with these options was given."""
    found: dict[str, object] = {}

    @click.command()
    @config_options
    def command(**options: Any) -> None:
        found.update(given_fields(options))

    command.main(list(words), standalone_mode=False)
    return found


def test_nothing_given_changes_nothing() -> None:
    assert fields() == {}


def test_every_option_is_its_field() -> None:
    assert fields(
        *("--socks-port", "0", "--http-port", "8080", "--port-attempts", "5"),
        *("--listen-interface", "", "--bind-interface", "eth0", "--data-root-directory", "d"),
        *("--split-own-region", "--split-region", "NL", "--split-region", "DE", "--exclude", "*.example.org"),
    ) == {
        "LocalSocksProxyPort": 0,
        "LocalHttpProxyPort": 8080,
        "LocalProxyPortAttempts": 5,
        "ListenInterface": "",
        "BindInterface": "eth0",
        "DataRootDirectory": "d",
        "SplitTunnelOwnRegion": True,
        "SplitTunnelRegions": ["NL", "DE"],
        "SplitTunnelExcludedHosts": ["*.example.org"],
    }


def test_unix_sockets_are_in_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert fields("--unix-sockets", "here") == {
        "UseUnixDomainSockets": True,
        "LocalSocksProxyUnixPath": str(tmp_path / "here" / "socks"),
        "LocalHttpProxyUnixPath": str(tmp_path / "here" / "http"),
    }


@pytest.mark.parametrize("in_environment", [False, True])
def test_who_may_use_the_proxies(in_environment: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if in_environment:
        monkeypatch.setenv("HEADRACE_PROXY_USER", USER)
    given = fields() if in_environment else fields("--proxy-user", USER)
    assert given == {"LocalProxyUsername": "anna", "LocalProxyPassword": f"{SECRET}:x"}
    assert "HEADRACE_PROXY_USER" not in os.environ


@pytest.mark.parametrize("text", [SECRET, f":{SECRET}", f"{SECRET}:", ""])
def test_half_of_it_is_a_mistake_that_is_not_repeated(text: str) -> None:
    with pytest.raises(OperatorError, match="--proxy-user: write a name, a colon and a password") as caught:
        fields("--proxy-user", text)
    assert SECRET not in str(caught.value)


def test_a_client_in_the_background_has_no_password_on_its_command_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))

    class Started(Exception):
        """That is all there is to see."""

    def start(place: object, words: list[str], variables: dict[str, str]) -> None:
        assert words == ["--split-own-region", "--exclude=a", "--exclude=b"]
        assert variables["HEADRACE_PROXY_USER"] == USER
        raise Started

    monkeypatch.setattr(connect_module, "Background", start)
    command = ["connect", "--proxy-user", USER, "--exclude", "a", "--exclude", "b", "--split-own-region"]
    result = CliRunner().invoke(headrace, command)
    assert isinstance(result.exception, Started), result.exception
