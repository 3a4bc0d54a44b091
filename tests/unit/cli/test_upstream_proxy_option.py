"""Which proxy the commands go through, and that its password is told to nobody."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from headrace.base.errors import OperatorError
from headrace.cli import client as module
from headrace.cli.root import headrace
from headrace.cli.upstream_proxy_option import VARIABLE, chosen_proxy
from headrace.client.assembly import Assembly
from headrace.documents.client_config import ClientConfig
from headrace.server.generate import generate_server
from headrace.testing.peers import host_key

SECRET = "hunter2"
CONFIGURED = "http://configured:1"
FROM_ENVIRONMENT = "http://environment:1"
NAMES = (VARIABLE, "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY")


@pytest.fixture(autouse=True)
def _an_environment_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", FROM_ENVIRONMENT)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    entry = generate_server(ip="192.0.2.1", protocols={"OSSH": 443}, host_key=host_key("rsa")).entry
    path = tmp_path / "client.config"
    path.write_text(
        f'{{"PropagationChannelId": "1", "SponsorId": "2", "TargetServerEntry": "{entry}", '
        f'"LocalSocksProxyPort": 1080, "UpstreamProxyURL": "{CONFIGURED}"}}'
    )
    return path


def proxy_of_client(monkeypatch: pytest.MonkeyPatch, *words: object) -> str:
    """Return the proxy that `headrace client` would go through."""
    kept: list[ClientConfig] = []

    def run(assembly: Assembly, *_: object) -> None:
        assert VARIABLE not in os.environ
        kept.append(assembly.config)

    monkeypatch.setattr(module, "_run", run)
    result = CliRunner().invoke(headrace, ["client", *map(str, words)])
    if result.exception is not None:
        raise result.exception
    return kept[0].upstream_proxy_url


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], CONFIGURED),
        (["--upstream-proxy", "none"], ""),
        (["--upstream-proxy", "auto"], FROM_ENVIRONMENT),
        (["--upstream-proxy", "socks5h://ann:x@wanted"], "socks5://ann:x@wanted:1080"),
    ],
)
def test_a_client_goes_through(
    words: list[str], expected: str, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert proxy_of_client(monkeypatch, "--config", config, *words) == expected


def test_a_client_does_not_go_through_itself(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "socks5h://localhost:1080")
    assert proxy_of_client(monkeypatch, "--config", config, "--upstream-proxy", "auto") == ""


def test_what_is_wanted_repairs_what_is_configured(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text(config.read_text().replace(CONFIGURED, "nonsense"))
    assert proxy_of_client(monkeypatch, "--config", config, "--upstream-proxy", "none") == ""


def test_the_option_may_come_from_the_environment(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"http://ann:{SECRET}@wanted:1"
    monkeypatch.setenv(VARIABLE, url)
    assert proxy_of_client(monkeypatch, "--config", config) == url


@pytest.mark.parametrize(
    ("wanted", "configured", "variable", "told"),
    [
        (f"ftp://ann:{SECRET}@x:1", "", "", "--upstream-proxy must begin with"),
        (f"http://ann:{SECRET}/@x:1", "", "", "--upstream-proxy "),
        (f"http://:{SECRET}@x:1", "", "", "--upstream-proxy has a password and no user name"),
        ("auto", "", f"ftp://ann:{SECRET}@x:1", "the environment variable https_proxy must begin with"),
        (None, f"http://ann:{SECRET}@:1", "", "UpstreamProxyURL names no host"),
    ],
)
def test_what_cannot_be_used_is_told_without_the_password(
    wanted: str | None, configured: str, variable: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", variable)
    with pytest.raises(OperatorError) as caught:
        chosen_proxy(wanted, configured)
    assert str(caught.value).startswith(told)
    assert SECRET not in str(caught.value)
