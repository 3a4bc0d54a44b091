"""Which desktop it is."""

from pathlib import Path

import pytest

from headrace.base.errors import OperatorError
from headrace.desktop.choice import AUTO, CHOICES, OFF, choose_desktop, find_desktop


@pytest.fixture
def programs(tmp_path: Path) -> str:
    """A search path with gsettings on it."""
    program = tmp_path / "gsettings"
    program.write_text("")
    program.chmod(0o700)
    return str(tmp_path)


@pytest.mark.parametrize(
    ("current", "platform", "name"),
    [
        ("GNOME", "linux", "gnome"),
        ("ubuntu:GNOME", "linux", "gnome"),
        ("X-Cinnamon", "linux", "gnome"),
        ("KDE", "linux", "kde"),
        ("XFCE", "linux", "environment"),
        ("", "linux", "environment"),
        ("GNOME", "darwin", "macos"),
        ("", "win32", "windows"),
    ],
)
def test_auto(current: str, platform: str, name: str, programs: str) -> None:
    environment = {"XDG_CURRENT_DESKTOP": current, "PATH": programs}
    assert choose_desktop(AUTO, environment, platform) == name
    assert choose_desktop("kde", environment, platform) == "kde"


def test_gnome_without_its_programs(tmp_path: Path) -> None:
    assert (
        choose_desktop(AUTO, {"XDG_CURRENT_DESKTOP": "GNOME", "PATH": str(tmp_path)}, "linux")
        == "environment"
    )


@pytest.mark.parametrize("name", [*sorted({*CHOICES, "macos"} - {AUTO, OFF})])
def test_each_has_its_name(name: str, tmp_path: Path) -> None:
    assert find_desktop(name, tmp_path).name == name


@pytest.mark.parametrize("name", ["windows", "amiga"])
def test_a_desktop_that_is_not_here(name: str, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=f'this machine has no desktop "{name}"'):
        find_desktop(name, tmp_path)
