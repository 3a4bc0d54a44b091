"""Binding to a network interface: what a socket sends leaves by it, whatever the routes say. Linux has that.

For users with several networks at once, and for tunnels beside a device that carries everything else. Names
are looked up by the system as always: addresses, as entries have them, need no look-up.
"""

import asyncio
import errno
import socket
import sys

from headrace.base.errors import OperatorError

__all__ = ["bind_to_device", "connected_socket", "insist_on_device"]


def bind_to_device(unconnected: socket.socket, device: str) -> None:
    """Have a socket send and receive through `device` only; "" is no restriction. Raises OSError."""
    if not device:
        return
    if sys.platform != "linux":
        raise OSError(errno.EOPNOTSUPP, "only Linux can bind to a network interface")
    unconnected.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())


def insist_on_device(device: str) -> None:
    """Raise OperatorError if sockets cannot be bound to `device`."""
    try:
        with socket.socket(type=socket.SOCK_DGRAM) as probe:
            bind_to_device(probe, device)
    except OSError as error:
        reason = _REASONS.get(error.errno or 0) or error.strerror
        raise OperatorError(f"BindInterface: {device} cannot be used: {reason}") from error


_REASONS = {
    errno.ENODEV: "this machine has no such network interface",
    errno.EPERM: "this system allows it only with the capability CAP_NET_RAW",
}


async def connected_socket(host: str, port: int, device: str) -> socket.socket:
    """Connect through `device` to the first address of `host` that lets us. Raises OSError."""
    loop = asyncio.get_running_loop()
    errors: list[OSError] = []
    for family, kind, protocol, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        connecting = socket.socket(family, kind, protocol)
        try:
            connecting.setblocking(False)
            bind_to_device(connecting, device)
            await loop.sock_connect(connecting, address)
        except OSError as error:
            connecting.close()
            errors.append(error)
        except BaseException:
            connecting.close()
            raise
        else:
            return connecting
    raise errors[0]
