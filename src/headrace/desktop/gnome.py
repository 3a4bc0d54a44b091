"""GNOME's proxy settings, which most desktops with its libraries share: gsettings org.gnome.system.proxy.

An address is its host and its port in one text, because they are changed together; all texts are as gsettings
writes them: `'127.0.0.1' 8080`.
"""

from typing import Final

from headrace.base.errors import OperatorError
from headrace.desktop.commands import Run, run
from headrace.desktop.settings import ADDRESSES, LOCAL_NAMES, LOCAL_NETWORKS, MODE, Proxies, Settings

__all__ = ["Gnome"]

_SCHEMA: Final = "org.gnome.system.proxy"
_KEYS: Final = {MODE: "mode", "bypass": "ignore-hosts"}


class Gnome:
    """A desktop."""

    name = "gnome"

    def __init__(self, run: Run = run) -> None:
        self._run = run

    def read(self) -> dict[str, str | None]:
        found = {}
        for line in self._run(("gsettings", "list-recursively", _SCHEMA)).splitlines():
            schema, _, rest = line.partition(" ")
            key, _, value = rest.partition(" ")
            found[schema, key] = value
        settings: dict[str, str | None] = {}
        try:
            for name in sorted(ADDRESSES):
                schema = f"{_SCHEMA}.{name}"
                settings[name] = f"{found[schema, 'host']} {found[schema, 'port']}"
            for name, key in _KEYS.items():
                settings[name] = found[_SCHEMA, key]
        except KeyError as error:
            raise OperatorError(f"gsettings has no {' '.join(error.args[0])}") from None
        return settings

    def settings(self, proxies: Proxies) -> dict[str, str | None]:
        http, socks = (
            f"'{proxies.host}' {port}" if port else "'' 0" for port in (proxies.http, proxies.socks)
        )
        names = (f"*{name}" if name.startswith(".") else name for name in LOCAL_NAMES)
        bypass = ", ".join(f"'{host}'" for host in (*names, *LOCAL_NETWORKS))
        return {"http": http, "https": http, "socks": socks, "bypass": f"[{bypass}]", MODE: "'manual'"}

    def write(self, settings: Settings) -> None:
        for name, text in settings.items():
            value = text or ""
            if name in ADDRESSES:
                host, _, port = value.rpartition(" ")
                self._set(f"{_SCHEMA}.{name}", "host", host)
                self._set(f"{_SCHEMA}.{name}", "port", port)
            else:
                self._set(_SCHEMA, _KEYS[name], value)

    def _set(self, schema: str, key: str, value: str) -> None:
        self._run(("gsettings", "set", schema, key, value))
