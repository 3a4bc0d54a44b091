"""What proxy settings are, on any desktop: texts in its own terms, under names that all have in common.

To put a text back, nobody needs to know what it means: so settings of a kind that we never make, an automatic
configuration for instance, are restored all the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

__all__ = ["ADDRESSES", "LOCAL_NAMES", "LOCAL_NETWORKS", "MODE", "Desktop", "Proxies", "Settings"]

#: Text by name; None is what is not set at all.
Settings = Mapping[str, str | None]

MODE: Final = "mode"
"""The setting that says whether the others count, where there is one."""

ADDRESSES: Final = frozenset(("http", "https", "socks"))
"""The settings that say where proxies are; whoever changes one of them means the mode to be theirs, too."""

LOCAL_NAMES: Final = ("localhost", ".local")
LOCAL_NETWORKS: Final = (
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "::1",
    "fc00::/7",
    "fe80::/10",
)
"""Where programs go without a proxy: a server at the far end could not reach these (client spec §5.6)."""


@dataclass(frozen=True, slots=True)
class Proxies:
    """The local proxies at `host`: their ports, None for one that does not listen."""

    host: str
    http: int | None
    socks: int | None


class Desktop(Protocol):
    """The proxy settings of a desktop. All raise OperatorError when its programs are missing or refuse."""

    name: str

    def read(self) -> dict[str, str | None]:
        """Return the settings as they are: at least those that `settings` changes."""

    def settings(self, proxies: Proxies) -> dict[str, str | None]:
        """Return what the settings have to be for programs to use these proxies, what matters most last."""

    def write(self, settings: Settings) -> None:
        """Set these, one after the other, and leave any others alone."""
