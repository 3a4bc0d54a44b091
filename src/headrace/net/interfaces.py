"""Which addresses to listen on: a local proxy's (client spec §2.1), and a server's."""

import socket
import struct
import sys
from typing import Final

from headrace.base.errors import OperatorError

__all__ = ["LOOPBACK", "every_address", "listening_address"]

LOOPBACK: Final = "127.0.0.1"

_SIOCGIFADDR: Final = 0x8915  # Linux: ask for an interface's first IPv4 address


def every_address() -> tuple[str, ...]:
    """Return what to listen on to be reached at every address: IPv4, and IPv6 where the machine has it."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::", 0))
    except OSError:
        return ("0.0.0.0",)
    return ("0.0.0.0", "::")


def listening_address(interface: str) -> str:
    """Return loopback for "", every address for "any", else the named interface's first IPv4 address.

    Raises OperatorError for an interface that is not there or has none.
    """
    if not interface:
        return LOOPBACK
    if interface == "any":
        return "0.0.0.0"
    if sys.platform != "linux":
        raise OperatorError('ListenInterface: name "any", or leave it empty: interfaces have no names here')
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            request = struct.pack("256s", interface.encode()[:15])
            answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, request)
        except OSError as error:
            raise OperatorError(
                f"ListenInterface: {interface} is no interface with an IPv4 address on this machine"
            ) from error
    return socket.inet_ntoa(answer[20:24])
