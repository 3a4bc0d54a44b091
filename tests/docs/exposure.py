"""The table in docs/discovery.md of what an adversary learns, played through with the strategies themselves.

`python -m tests.docs.exposure` prints it.
"""

import ipaddress
import random

from headrace.discovery.exposure import learned
from headrace.discovery.servers import DiscoveryServer
from headrace.discovery.strategy import STRATEGIES, Address, make_strategy

__all__ = ["rows"]

_SERVERS = [DiscoveryServer(0, 2e10, f"198.18.0.{number}", "") for number in range(100)]
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


def rows() -> list[list[str]]:
    """Return the table: who asks once an hour, and what part of the servers they learn by each strategy."""
    table = []
    for adversary, addresses in _ADVERSARIES.items():
        row = [adversary]
        for name in STRATEGIES:
            strategy = make_strategy(name, _KEY)
            found = (len(learned(strategy, _SERVERS, addresses, _BEGIN, hours)) for hours in (1, _DAY))
            row.append(" ► ".join(f"{count} %" for count in found))
        table.append(row)
    return table


if __name__ == "__main__":
    for cells in (["who asks", *STRATEGIES], ["---"] * (1 + len(STRATEGIES)), *rows()):
        print("|", " | ".join(cells), "|")
