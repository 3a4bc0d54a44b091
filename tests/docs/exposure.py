"""The tables in docs/discovery.md of what an adversary learns, played through with the strategies themselves.

`python -m tests.docs.exposure` prints them.
"""

import ipaddress
import random
from collections.abc import Callable, Iterable, Sequence

from headrace.discovery.exposure import learned
from headrace.discovery.servers import DiscoveryServer
from headrace.discovery.strategy import STRATEGIES, Address, Strategy, make_strategy

__all__ = ["TABLES", "lasting", "passing"]

_BEGIN, _DAY = 1_800_000_000.0, 24  # seconds since 1970, hours
_KEY = "a network's secret"
_DRAW = random.Random(1)

_ADVERSARIES: dict[str, list[Address]] = {
    "one address": [ipaddress.IPv4Address("203.0.113.7")],
    "a /24 of their own": list(ipaddress.IPv4Network("203.0.113.0/24")),
    "a /48 of their own, 1,000 addresses of it": [
        ipaddress.IPv6Address((0x2001_0DB8_0007 << 80) | _DRAW.getrandbits(80)) for _ in range(1000)
    ],
    "20 addresses in different networks": [ipaddress.IPv4Address(_DRAW.getrandbits(32)) for _ in range(20)],
    "1,000 addresses in different networks": [
        ipaddress.IPv4Address(_DRAW.getrandbits(32)) for _ in range(1000)
    ],
}


def lasting() -> list[list[str]]:
    """Of 100 servers that stay: the part that is learned in an hour, and in a day."""
    servers = [DiscoveryServer(0, 2e10, f"198.18.0.{number}", "") for number in range(100)]

    def found(strategy: Strategy, addresses: Sequence[Address]) -> str:
        parts = (len(learned(strategy, servers, addresses, _BEGIN, hours)) for hours in (1, _DAY))
        return " ► ".join(f"{part} %" for part in parts)

    return _rows(_ADVERSARIES, found)


def passing() -> list[list[str]]:
    """Of servers that come, 12 to 16 a day, and go after a week: how many are learned in four weeks."""
    servers = [
        DiscoveryServer(_BEGIN + day * 86_400, _BEGIN + (day + 7) * 86_400, f"198.18.{day + 6}.{number}", "")
        for day in range(-6, 28)
        for number in range(14 + day % 5 - 2)
    ]

    def found(strategy: Strategy, addresses: Sequence[Address]) -> str:
        return f"{len(learned(strategy, servers, addresses, _BEGIN, 28 * _DAY))} of {len(servers)}"

    return _rows(("one address", "20 addresses in different networks"), found)


def _rows(adversaries: Iterable[str], found: Callable[[Strategy, Sequence[Address]], str]) -> list[list[str]]:
    return [
        [who, *(found(make_strategy(name, _KEY), _ADVERSARIES[who]) for name in STRATEGIES)]
        for who in adversaries
    ]


#: By the name that each has in the document.
TABLES = {"exposure": lasting, "turnover": passing}

if __name__ == "__main__":
    for table in TABLES.values():
        for cells in (["who asks", *STRATEGIES], ["---"] * (1 + len(STRATEGIES)), *table()):
            print("|", " | ".join(cells), "|")
        print()
