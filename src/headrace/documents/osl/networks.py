"""A set of networks that is asked about every port forward: a bisection, however many networks there are."""

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

from headrace.documents.port_policy import Address, Network

__all__ = ["NetworkSet"]

_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")


class NetworkSet:
    """Networks of both families, which may overlap. What is IPv4 may come mapped into IPv6."""

    __slots__ = ("_borders",)

    def __init__(self, networks: Iterable[Network]) -> None:
        # By family: where the set begins, where it ends, where it begins again, and so on.
        self._borders: dict[int, list[int]] = {4: [], 6: []}
        for first, end, version in sorted(map(_span, networks)):
            borders = self._borders[version]
            if borders and first <= borders[-1]:
                borders[-1] = max(end, borders[-1])
            else:
                borders += first, end

    def __contains__(self, address: Address) -> bool:
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return bisect_right(self._borders[address.version], int(address)) % 2 == 1


def _span(network: Network) -> tuple[int, int, int]:
    """Return its first address, the one behind its last, and the family."""
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        first = int(network.network_address) - int(_MAPPED.network_address)
        return first, first + network.num_addresses, 4
    return int(network.network_address), int(network.broadcast_address) + 1, network.version
