"""Which address a local proxy listens on (client spec §2.1)."""

import socket
import struct
import sys
from typing import Final

from headrace.base.errors import OperatorError

__all__ = ["listening_address"]

_SIOCGIFADDR: Final = 0x8915  # Linux: ask for an interface's first IPv4 address


def listening_address(interface: str) -> str:
    """Return loopback for "", every address for "any", else the named interface's first IPv4 address.

    Raises OperatorError for an interface that is not there or has none.
    """
    if not interface:
        return "127.0.0.1"
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
