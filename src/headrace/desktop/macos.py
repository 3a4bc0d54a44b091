"""macOS' proxy settings, which each network service has for itself: networksetup.

Settings are named after the service: `Wi-Fi/http`. An address is `on 127.0.0.1 8080`, `off 127.0.0.1 8080`
where one is kept that is not used, or `off`.
"""

import re
from collections.abc import Iterator
from typing import Final

from headrace.desktop.commands import Run, run
from headrace.desktop.settings import LOCAL_NAMES, LOCAL_NETWORKS, Proxies, Settings

__all__ = ["MacOS"]

#: What a kind of proxy is called in commands.
_KINDS: Final = {"http": "webproxy", "https": "securewebproxy", "socks": "socksfirewallproxy"}
_FIELD: Final = re.compile(r"^(Enabled|Server|Port|URL): ?(.*)$", re.MULTILINE)
_NO_DOMAINS: Final = "There aren't any"


class MacOS:
    """A desktop; services that are switched off are left alone."""

    name = "macos"

    def __init__(self, run: Run = run) -> None:
        self._run = run

    def read(self) -> dict[str, str | None]:
        settings: dict[str, str | None] = {}
        for service in self._services():
            for name, kind in _KINDS.items():
                settings[f"{service}/{name}"] = _address(self._ask(f"-get{kind}", service))
            domains = self._ask("-getproxybypassdomains", service)
            settings[f"{service}/bypass"] = (
                "" if domains.startswith(_NO_DOMAINS) else " ".join(domains.split())
            )
            automatic = dict(_FIELD.findall(self._ask("-getautoproxyurl", service)))
            settings[f"{service}/pac"] = "on" if automatic.get("Enabled") == "Yes" else "off"
        return settings

    def settings(self, proxies: Proxies) -> dict[str, str | None]:
        ports = {"http": proxies.http, "https": proxies.http, "socks": proxies.socks}
        names = (f"*{name}" if name.startswith(".") else name for name in LOCAL_NAMES)
        bypass = " ".join((*names, *LOCAL_NETWORKS))
        settings = self.read()
        for key, text in settings.items():
            match key.rpartition("/")[2]:
                case "bypass":
                    settings[key] = bypass
                case "pac":
                    settings[key] = "off"
                case name if ports[name]:
                    settings[key] = f"on {proxies.host} {ports[name]}"
                case _:
                    _, *address = (text or "off").split()
                    settings[key] = " ".join(("off", *address))
        return settings

    def write(self, settings: Settings) -> None:
        for key, text in settings.items():
            service, _, name = key.rpartition("/")
            for command, *words in _commands(name, text or ""):
                self._ask(command, service, *words)

    def _services(self) -> list[str]:
        lines = self._ask("-listallnetworkservices").splitlines()[1:]  # the first explains the asterisk
        return [line for line in lines if line and not line.startswith("*")]

    def _ask(self, *words: str) -> str:
        return self._run(("networksetup", *words))


def _address(answer: str) -> str:
    fields = dict(_FIELD.findall(answer))
    state = "on" if fields.get("Enabled") == "Yes" else "off"
    server = fields.get("Server", "")
    return f"{state} {server} {fields.get('Port', '0')}" if server and server != "(null)" else "off"


def _commands(name: str, text: str) -> Iterator[list[str]]:
    """Yield the commands that set a service's setting, each with the words behind the service's name."""
    if name == "bypass":
        yield ["-setproxybypassdomains", *(text.split() or ["Empty"])]
    elif name == "pac":
        yield ["-setautoproxystate", text]
    else:
        kind = _KINDS[name]
        state, *address = text.split()
        if address:
            yield [f"-set{kind}", *address]  # which switches it on as well
        yield [f"-set{kind}state", state]
