"""Whether there is a way to somewhere, and from which of our addresses: the system knows without a packet.

Connecting a UDP socket looks a route up and sends nothing.
"""

import ipaddress
import socket
from typing import Final

from headrace.net.device import bind_to_device

__all__ = ["has_route", "network_up", "source_address"]

#: Addresses that belong to nobody (RFC 5737, RFC 3849): only a default route leads there.
_ANYWHERE: Final = ("192.0.2.1", "2001:db8::1")
_DISCARD: Final = 9


def has_route(host: str, device: str = "") -> bool:
    """Say whether the system knows a way to an address literal. Nobody knows one to a name."""
    return source_address(host, device) is not None


def network_up(host: str = "", device: str = "") -> bool:
    """Say whether there is a way to `host`, if one is given, or to the world at large."""
    return any(has_route(address, device) for address in (host, *_ANYWHERE) if address)


def source_address(host: str = _ANYWHERE[0], device: str = "") -> str | None:
    """Return the address of ours that packets to an address literal would have, None if there is no way.

    With a `device` only ways through that network interface count.
    """
    try:
        version = ipaddress.ip_address(host).version
        with socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            bind_to_device(probe, device)
            probe.connect((host, _DISCARD))
            return str(probe.getsockname()[0])
    except (OSError, ValueError):
        return None
