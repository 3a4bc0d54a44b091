"""Programs at a terminal: a file for shells to source, which sets the usual variables, or takes them back.

    . ~/.local/share/headrace/proxy.sh

While the proxies are there it exports http_proxy and the like, in both spellings. Afterwards it unsets what
it exported last, and nothing else: a proxy that somebody set meanwhile, or had before, stays.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from headrace.base.errors import OperatorError
from headrace.desktop.record import replace_file
from headrace.desktop.settings import LOCAL_NAMES, LOCAL_NETWORKS, Proxies, Settings

__all__ = ["Environment"]

_VARIABLES: Final = {"http": "http_proxy", "https": "https_proxy", "socks": "all_proxy", "bypass": "no_proxy"}
_HEAD: Final = "# Source this file: it sets the proxies of headrace while they are there. Do not edit it.\n"
_EXPORT: Final = re.compile(r"^export (\w+)='([^']*)'$", re.MULTILINE)
_UNSET: Final = re.compile(r"""^if \[ "\$\{(\w+)-\}" = '([^']*)' \]; then unset \1; fi$""", re.MULTILINE)


class Environment:
    """The file at `path`."""

    name = "environment"

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, str | None]:
        exported = dict(_EXPORT.findall(self._text()))
        return {name: exported.get(variable) for name, variable in _VARIABLES.items()}

    def settings(self, proxies: Proxies) -> dict[str, str | None]:
        http = f"http://{proxies.host}:{proxies.http}" if proxies.http else None
        socks = f"socks5h://{proxies.host}:{proxies.socks}" if proxies.socks else None
        # Widespread libraries fail at start on IPv6 networks here, and on SOCKS unless a package is added.
        bypass = (
            *LOCAL_NAMES,
            "127.0.0.1",
            *(net for net in LOCAL_NETWORKS if "/" not in net or ":" not in net),
        )
        return {"http": http, "https": http, "socks": http or socks, "bypass": ",".join(bypass)}

    def write(self, settings: Settings) -> None:
        text = self._text()
        last = {**dict(_UNSET.findall(text)), **dict(_EXPORT.findall(text))}
        values = {**self.read(), **settings}
        lines = (line for name in _VARIABLES for line in _lines(_VARIABLES[name], values[name], last))
        try:
            replace_file(self._path, (_HEAD + "".join(lines)).encode())
        except OSError as error:
            raise OperatorError(f"{self._path} cannot be written: {error.strerror}") from error

    def _text(self) -> str:
        try:
            return self._path.read_text("utf-8", "replace")
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise OperatorError(f"{self._path} cannot be read: {error.strerror}") from error


def _lines(variable: str, value: str | None, last: dict[str, str]) -> Iterator[str]:
    for name in (variable, variable.upper()):
        if value is not None:
            yield f"export {name}='{value}'\n"
        elif name in last:
            yield f"if [ \"${{{name}-}}\" = '{last[name]}' ]; then unset {name}; fi\n"
