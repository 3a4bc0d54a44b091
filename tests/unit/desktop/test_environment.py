"""The file that shells source, with a shell."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.base.errors import OperatorError
from headrace.desktop.environment import Environment
from headrace.desktop.settings import Proxies

PROXIES = Proxies("127.0.0.1", 8080, 1080)
NOTHING = {"http": None, "https": None, "socks": None, "bypass": None}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "proxy.sh"


def sourced(path: Path, **environment: str) -> dict[str, str]:
    """Return the variables that are there in a strict shell once it has sourced the file."""
    command = ("/bin/sh", "-euc", f". '{path}'; /usr/bin/env")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    pairs = (line.partition("=") for line in done.stdout.splitlines())
    return {name: value for name, _, value in pairs if name.lower().endswith("_proxy")}


def test_what_programs_see(path: Path) -> None:
    environment = Environment(path)
    environment.write(environment.settings(PROXIES))
    variables = sourced(path)
    bypass = (
        "localhost,.local,127.0.0.1,127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,169.254.0.0/16,::1"
    )
    proxy = "http://127.0.0.1:8080"
    expected = {"http_proxy": proxy, "https_proxy": proxy, "all_proxy": proxy, "no_proxy": bypass}
    assert variables == expected | {name.upper(): value for name, value in expected.items()}
    assert path.stat().st_mode & 0o777 == 0o600


def test_only_socks(path: Path) -> None:
    environment = Environment(path)
    environment.write(environment.settings(Proxies("127.0.0.1", None, 1080)))
    assert sourced(path).keys() == {"all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"}
    assert sourced(path)["all_proxy"] == "socks5h://127.0.0.1:1080"


@pytest.mark.parametrize(
    "proxies", [PROXIES, Proxies("192.0.2.1", None, 1080), Proxies("127.0.0.1", 8080, None)]
)
def test_what_is_written_is_read(path: Path, proxies: Proxies) -> None:
    environment = Environment(path)
    assert environment.read() == NOTHING
    environment.write(environment.settings(proxies))
    assert environment.read() == environment.settings(proxies)
    environment.write(NOTHING)
    assert environment.read() == NOTHING


def test_afterwards_it_unsets_what_it_set_and_nothing_else(path: Path) -> None:
    environment = Environment(path)
    environment.write(environment.settings(PROXIES))
    variables = sourced(path)
    environment.write(NOTHING)
    environment.write(NOTHING)  # as a second time does not matter
    assert sourced(path, **variables) == {}
    assert sourced(path, **variables | {"http_proxy": "http://theirs"}) == {"http_proxy": "http://theirs"}
    assert sourced(path, no_proxy="theirs") == {"no_proxy": "theirs"}


def test_some_settings_leave_the_others_alone(path: Path) -> None:
    environment = Environment(path)
    environment.write(environment.settings(PROXIES))
    environment.write({"http": None})
    assert environment.read() == environment.settings(PROXIES) | {"http": None}


def test_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    environment = Environment(tmp_path)
    with pytest.raises(OperatorError, match="cannot be read"):
        environment.read()
    with pytest.raises(OperatorError, match="cannot be written"):
        Environment(tmp_path / "missing" / "proxy.sh").write(NOTHING)


@given(st.binary())
def test_garbage(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "garbage.sh"
    path.write_bytes(data)
    environment = Environment(path)
    environment.read()
    environment.write(NOTHING)
    assert sourced(path) == {}
