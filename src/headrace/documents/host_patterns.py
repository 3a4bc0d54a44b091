"""Which hosts a list means: `example.org`, `*.example.org`, `192.0.2.7`, `2001:db8::/32` (client spec §2.7).

A host is matched as it was asked for. It is never resolved: to look a name up would tell of it.
"""

import ipaddress
from collections.abc import Iterable
from typing import Final, Self, TypeAlias

from headrace.base.errors import DocumentError, NetworkError
from headrace.codec.host_names import parse_host

__all__ = ["HostPatterns"]

_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
_WILDCARD: Final = "*."


class HostPatterns:
    """Host names, each itself only, or with `*.` in front all those below it; addresses, and networks."""

    def __init__(self, names: Iterable[str], parents: Iterable[str], networks: Iterable[_Network]) -> None:
        self._names = frozenset(names)
        self._parents = frozenset(parents)
        self._networks = tuple(networks)

    @classmethod
    def parse(cls, patterns: Iterable[str]) -> Self:
        """Return what the patterns mean. Raises DocumentError naming the one that means nothing."""
        names: list[str] = []
        parents: list[str] = []
        networks: list[_Network] = []
        for pattern in patterns:
            try:
                networks.append(ipaddress.ip_network(pattern, strict=False))
                continue
            except ValueError:
                wild = pattern.startswith(_WILDCARD)
            name = _normal(pattern.removeprefix(_WILDCARD))
            if not isinstance(name, str) or set(name) & set("*/:@[]") or not all(name.split(".")):
                raise DocumentError(
                    f"{pattern!r} is no host: write for instance example.org, *.example.org or 192.0.2.0/24"
                )
            (parents if wild else names).append(name)
        return cls(names, parents, networks)

    def match(self, host: str) -> bool:
        """Say whether the patterns mean this host, which is a name in any script or an address literal."""
        normal = _normal(host)
        if normal is None:
            return False
        if not isinstance(normal, str):
            return any(normal in network for network in self._networks)
        if normal in self._names:
            return True
        labels = normal.split(".")
        return any(".".join(labels[first:]) in self._parents for first in range(1, len(labels)))


def _normal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | str | None:
    """Return the one form of an address, or of a name however it is written; None for what is neither."""
    try:
        parsed = parse_host(host)
    except NetworkError:
        return None
    if isinstance(parsed, str):
        return parsed.lower().removesuffix(".")
    return (parsed.ipv4_mapped or parsed) if isinstance(parsed, ipaddress.IPv6Address) else parsed
