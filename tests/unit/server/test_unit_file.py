"""The systemd unit that is shipped: systemd takes it, and finds little to object to."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.interop.programs import program

import headrace.server

UNIT = Path(headrace.server.__file__).with_name("headrace-server.service")
#: "Exposure" as systemd-analyze counts it, from 0 (none) to 10; what a server of tunnels needs is 1.6.
MOST_EXPOSED = 1.8


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit as it is when headrace is installed: with a command that is there."""
    path = tmp_path / UNIT.name
    command = shutil.which("headrace", path=str(Path(sys.executable).parent)) or sys.executable
    path.write_text(re.sub(r"^(Exec\w+)=headrace ", rf"\1={command} ", UNIT.read_text(), flags=re.MULTILINE))
    return path


def analyze(*words: str | Path) -> str:
    done = subprocess.run(
        [program("systemd-analyze"), *words, "--no-pager"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_systemd_has_nothing_to_say_against_it(unit: Path) -> None:
    assert analyze("verify", "--man=no", unit) == ""


def test_the_service_is_shut_in(unit: Path) -> None:
    told = analyze("security", "--offline=true", unit)
    found = re.search(r"Overall exposure level.*: ([\d.]+)", told)
    assert found is not None, told
    assert float(found[1]) <= MOST_EXPOSED, told


def test_it_is_a_user_with_one_capability_that_tells_when_it_is_ready() -> None:
    settings = [line for line in UNIT.read_text().splitlines() if line and not line.startswith(("#", "["))]
    for setting in (
        "Type=notify",
        "NotifyAccess=main",
        "User=headrace",
        "AmbientCapabilities=CAP_NET_BIND_SERVICE",
        "CapabilityBoundingSet=CAP_NET_BIND_SERVICE",
        "NoNewPrivileges=yes",
        "LogsDirectory=headrace",
        "RestartPreventExitStatus=2",
    ):
        assert setting in settings
