"""KDE's proxy settings: the file kioslaverc, by way of KDE's own programs."""

import contextlib
import shutil
from typing import Final

from headrace.base.errors import OperatorError
from headrace.desktop.commands import Run, run
from headrace.desktop.settings import LOCAL_NAMES, LOCAL_NETWORKS, MODE, Proxies, Settings

__all__ = ["Kde"]

_KEYS: Final = {
    "http": "httpProxy",
    "https": "httpsProxy",
    "socks": "socksProxy",
    "bypass": "NoProxyFor",
    "only bypassed": "ReversedException",  # true: the list is of those that are not to be bypassed
    MODE: "ProxyType",
}
_MANUAL: Final = "1"
#: Printed for a key that is not in the file; no value of KDE's looks like it.
_NOTHING: Final = "\x02nothing\x02"
_REPARSE: Final = "org.kde.KIO.Scheduler.reparseSlaveConfiguration"


class Kde:
    """A desktop of KDE 5 or 6, whichever's programs are there; they share the file."""

    name = "kde"

    def __init__(self, run: Run = run, version: str = "") -> None:
        self._run = run
        self._version = version or ("6" if shutil.which("kwriteconfig6") else "5")

    def read(self) -> dict[str, str | None]:
        settings: dict[str, str | None] = {}
        for name, key in _KEYS.items():
            text = self._run((f"kreadconfig{self._version}", *_place(key), "--default", _NOTHING))
            text = text.removesuffix("\n")
            settings[name] = None if text == _NOTHING else text
        return settings

    def settings(self, proxies: Proxies) -> dict[str, str | None]:
        http, socks = (
            f"{scheme}://{proxies.host} {port}" if port else ""
            for scheme, port in (("http", proxies.http), ("socks", proxies.socks))
        )
        return {
            "http": http,
            "https": http,
            "socks": socks,
            "bypass": ",".join((*LOCAL_NAMES, *LOCAL_NETWORKS)),
            "only bypassed": "false",
            MODE: _MANUAL,
        }

    def write(self, settings: Settings) -> None:
        for name, text in settings.items():
            value = ("--delete", "--", "") if text is None else ("--", text)
            self._run((f"kwriteconfig{self._version}", *_place(_KEYS[name]), *value))
        with contextlib.suppress(OperatorError):  # without a desktop that runs there is nobody to tell
            self._run(("dbus-send", "--type=signal", "/KIO/Scheduler", _REPARSE, "string:"))


def _place(key: str) -> tuple[str, ...]:
    return "--file", "kioslaverc", "--group", "Proxy Settings", "--key", key
