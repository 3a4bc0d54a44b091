"""Windows' settings, in a registry in memory."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest

from headrace.base.errors import OperatorError
from headrace.desktop.settings import Proxies
from headrace.desktop.windows import Windows

PROXIES = Proxies("127.0.0.1", 8080, 1080)


class Registry:
    """As much of the module winreg as is used."""

    HKEY_CURRENT_USER, KEY_QUERY_VALUE, KEY_SET_VALUE, REG_SZ, REG_DWORD = range(5)

    def __init__(self) -> None:
        self.values: dict[str, tuple[object, int]] = {"ProxyEnable": (0, self.REG_DWORD)}
        self.locked = ""
        self.there = True

    def OpenKey(self, root: int, path: str, reserved: int, access: int) -> AbstractContextManager[int]:
        assert (root, reserved) == (self.HKEY_CURRENT_USER, 0)
        assert path == r"Software\Microsoft\Windows\CurrentVersion\Internet Settings"
        if not self.there:
            raise FileNotFoundError(2, "The system cannot find the file specified")
        return nullcontext(access)

    def QueryValueEx(self, key: int, name: str) -> tuple[object, int]:
        assert key == self.KEY_QUERY_VALUE
        if name not in self.values:
            raise FileNotFoundError(2, "The system cannot find the file specified")
        return self.values[name]

    def SetValueEx(self, key: int, name: str, reserved: int, kind: int, value: object) -> None:
        assert (key, reserved) == (self.KEY_SET_VALUE, 0)
        if name == self.locked:
            raise PermissionError(5, "Access is denied")
        self.values[name] = value, kind

    def DeleteValue(self, key: int, name: str) -> None:
        assert key == self.KEY_SET_VALUE
        if name not in self.values:
            raise FileNotFoundError(2, "The system cannot find the file specified")
        del self.values[name]


def windows(registry: Any, told: list[str] | None = None) -> Windows:
    return Windows(registry, lambda: None if told is None else told.append("told"))


def test_what_programs_see() -> None:
    registry, told = Registry(), list[str]()
    desktop = windows(registry, told)
    desktop.write(desktop.settings(PROXIES))
    assert registry.values["ProxyEnable"] == (1, registry.REG_DWORD)
    assert registry.values["ProxyServer"] == (
        "http=127.0.0.1:8080;https=127.0.0.1:8080;socks=127.0.0.1:1080",
        registry.REG_SZ,
    )
    bypass = str(registry.values["ProxyOverride"][0]).split(";")
    assert bypass[:4] == ["<local>", "*.local", "127.*", "10.*"]
    assert {"172.16.*", "172.31.*", "192.168.*", "169.254.*"} <= set(bypass)
    assert not {"172.15.*", "172.32.*"} & set(bypass)
    assert "AutoConfigURL" not in registry.values
    assert told == ["told"]


@pytest.mark.parametrize(
    ("proxies", "addresses"),
    [
        (Proxies("127.0.0.1", None, 1080), "socks=127.0.0.1:1080"),
        (Proxies("127.0.0.1", 8080, None), "http=127.0.0.1:8080;https=127.0.0.1:8080"),
    ],
)
def test_one_proxy(proxies: Proxies, addresses: str) -> None:
    assert windows(Registry()).settings(proxies)["http"] == addresses


def test_what_is_written_is_read_and_put_back() -> None:
    registry = Registry()
    registry.values["AutoConfigURL"] = ("http://theirs.example/proxy.pac", registry.REG_SZ)
    desktop, values = windows(registry), dict(registry.values)
    before = desktop.read()
    assert before == {"http": None, "bypass": None, "pac": "http://theirs.example/proxy.pac", "mode": "0"}
    desktop.write(desktop.settings(PROXIES))
    assert desktop.read() == desktop.settings(PROXIES)
    desktop.write(before)
    assert registry.values == values


def test_a_setting_that_is_locked() -> None:
    registry = Registry()
    registry.locked = "ProxyServer"
    with pytest.raises(OperatorError, match="the registry does not take ProxyServer: Access is denied"):
        windows(registry).write(windows(registry).settings(PROXIES))


def test_no_such_key() -> None:
    registry = Registry()
    registry.there = False
    with pytest.raises(OperatorError, match="Internet Settings cannot be used"):
        windows(registry).read()


def test_programs_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import ctypes
    from types import SimpleNamespace

    calls: list[tuple[object, ...]] = []
    wininet = SimpleNamespace(InternetSetOptionW=lambda *arguments: calls.append(arguments))
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(wininet=wininet), raising=False)
    Windows(Registry()).write({})
    assert calls == [(None, 39, None, 0), (None, 37, None, 0)]
