"""Which desktop this is, and its settings by name."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from headrace.base.errors import OperatorError
from headrace.desktop.settings import Desktop

__all__ = ["AUTO", "CHOICES", "OFF", "choose_desktop", "find_desktop"]

AUTO: Final = "auto"
OFF: Final = "off"
CHOICES: Final = (AUTO, "gnome", "kde", "environment", OFF)
"""What a person may choose; those that are not here are the only ones of their operating system."""

#: What XDG_CURRENT_DESKTOP has in it where programs read GNOME's settings.
_LIKE_GNOME: Final = frozenset(
    ("gnome", "unity", "cinnamon", "x-cinnamon", "mate", "budgie", "pantheon", "deepin", "ukui")
)


def choose_desktop(
    choice: str, environment: Mapping[str, str] = os.environ, platform: str = sys.platform
) -> str:
    """Return the name of the desktop that is meant; by AUTO, the one that this process was started on."""
    if choice != AUTO:
        return choice
    if platform in ("win32", "darwin"):
        return {"win32": "windows", "darwin": "macos"}[platform]
    desktops = set(environment.get("XDG_CURRENT_DESKTOP", "").lower().split(":"))
    if "kde" in desktops:
        return "kde"
    if desktops & _LIKE_GNOME and shutil.which("gsettings", path=environment.get("PATH")):
        return "gnome"
    return "environment"


def find_desktop(name: str, directory: Path) -> Desktop:
    """Return a desktop by name; `directory` is for a file of ours. Raises OperatorError."""
    match name:
        case "gnome":
            from headrace.desktop.gnome import Gnome

            return Gnome()
        case "kde":
            from headrace.desktop.kde import Kde

            return Kde()
        case "environment":
            from headrace.desktop.environment import Environment

            return Environment(directory / "proxy.sh")
        case "macos":
            from headrace.desktop.macos import MacOS

            return MacOS()
        case "windows" if sys.platform == "win32":
            from headrace.desktop.windows import Windows

            return Windows()
    raise OperatorError(f'this machine has no desktop "{name}"')
