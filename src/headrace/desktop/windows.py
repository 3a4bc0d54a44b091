"""Windows' proxy settings: the user's part of the registry, and a word to the programs that have read it."""

import importlib
from collections.abc import Callable
from typing import Any, Final

from headrace.base.errors import OperatorError
from headrace.desktop.settings import MODE, Proxies, Settings

__all__ = ["Windows"]

_KEY: Final = r"Software\Microsoft\Windows\CurrentVersion\Internet Settings"
_VALUES: Final = {
    "http": "ProxyServer",
    "bypass": "ProxyOverride",
    "pac": "AutoConfigURL",
    MODE: "ProxyEnable",
}
_BYPASS: Final = ";".join(
    (
        "<local>",  # names without a dot
        "*.local",
        "127.*",
        "10.*",
        *(f"172.{second}.*" for second in range(16, 32)),
        "192.168.*",
        "169.254.*",
        "[::1]",
        "[fc*]",
        "[fd*]",
        "[fe80:*]",
    )
)
#: Options of InternetSetOption: read the settings anew, and tell others.
_SETTINGS_CHANGED, _REFRESH = 39, 37


def _tell_everybody() -> None:
    ctypes: Any = importlib.import_module("ctypes")
    for option in (_SETTINGS_CHANGED, _REFRESH):
        ctypes.windll.wininet.InternetSetOptionW(None, option, None, 0)


class Windows:
    """A desktop; `registry` is the module winreg. One setting holds all addresses."""

    name = "windows"

    def __init__(self, registry: Any = None, notify: Callable[[], None] = _tell_everybody) -> None:
        self._registry = registry or importlib.import_module("winreg")
        self._notify = notify

    def read(self) -> dict[str, str | None]:
        with self._open(self._registry.KEY_QUERY_VALUE) as key:
            return {name: self._value(key, value) for name, value in _VALUES.items()}

    def settings(self, proxies: Proxies) -> dict[str, str | None]:
        ports = {"http": proxies.http, "https": proxies.http, "socks": proxies.socks}
        addresses = ";".join(f"{scheme}={proxies.host}:{port}" for scheme, port in ports.items() if port)
        return {"http": addresses, "bypass": _BYPASS, "pac": None, MODE: "1"}

    def write(self, settings: Settings) -> None:
        registry = self._registry
        with self._open(registry.KEY_SET_VALUE) as key:
            for name, text in settings.items():
                value = _VALUES[name]
                try:
                    if text is None:
                        registry.DeleteValue(key, value)
                    elif name == MODE:
                        registry.SetValueEx(key, value, 0, registry.REG_DWORD, int(text))
                    else:
                        registry.SetValueEx(key, value, 0, registry.REG_SZ, text)
                except FileNotFoundError:
                    pass  # nothing to delete
                except OSError as error:
                    raise OperatorError(f"the registry does not take {value}: {error.strerror}") from error
        self._notify()

    def _open(self, access: int) -> Any:
        try:
            return self._registry.OpenKey(self._registry.HKEY_CURRENT_USER, _KEY, 0, access)
        except OSError as error:
            raise OperatorError(
                f"the registry's Internet Settings cannot be used: {error.strerror}"
            ) from error

    def _value(self, key: Any, value: str) -> str | None:
        try:
            return str(self._registry.QueryValueEx(key, value)[0])
        except FileNotFoundError:
            return None
