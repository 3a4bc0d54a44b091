"""Dialling and listening: the one place where TCP connections are made.

Both loops set TCP_NODELAY on every connection: what is worth gathering is gathered before it is written.
"""

import asyncio
import errno
import os
import socket
import struct
from collections.abc import Callable, Sequence
from typing import TypeVar

from headrace.base.errors import (
    ConnectRefused,
    ConnectTimeout,
    NameNotFound,
    NetworkError,
    OperatorError,
    Unreachable,
)
from headrace.net.device import connected_socket

__all__ = ["cannot_listen", "dial", "dial_local", "half_close", "insist_on_free", "listen", "reset"]

_NO_LINGER = struct.pack("ii", 1, 0)

_REMEDIES = {
    errno.EADDRINUSE: ". Stop the program that uses the port, or choose another one.",
    errno.EADDRNOTAVAIL: ". Name an address of this machine.",
    errno.EACCES: ". Choose a port above 1023, or give the program the capability CAP_NET_BIND_SERVICE.",
}

#: What an error of the system means for a connection that was to be made.
_MEANINGS: dict[int | None, type[NetworkError]] = {
    errno.ECONNREFUSED: ConnectRefused,
    errno.ETIMEDOUT: ConnectTimeout,
    errno.EHOSTUNREACH: Unreachable,
    errno.ENETUNREACH: Unreachable,
}

P = TypeVar("P", bound=asyncio.BaseProtocol)


async def dial(host: str, port: int, factory: Callable[[], P], timeout: float, device: str = "") -> P:
    """Connect to an address literal (or a name, resolved by the system); return the protocol.

    With a `device` the connection goes through that network interface, and no other.
    Raises NetworkError, of the kind that says why; the texts name no address.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout):
            if device:
                connected = await connected_socket(host, port, device)
                _, protocol = await loop.create_connection(factory, sock=connected)
            else:
                _, protocol = await loop.create_connection(factory, host, port)
    except TimeoutError as error:
        raise ConnectTimeout(f"no connection within {timeout:g} s") from error
    except OSError as error:
        raise _failure(error) from error
    except UnicodeError as error:  # a label of the name is empty, too long or of letters no name has
        raise NameNotFound("no host has such a name") from error
    return protocol


async def dial_local(place: tuple[str, int] | str, factory: Callable[[], P], timeout: float) -> P:
    """Connect to a program on this machine: at an address literal and port, or at a Unix socket's path.

    Raises NetworkError, as `dial` does.
    """
    if not isinstance(place, str):
        return await dial(*place, factory, timeout)
    try:
        async with asyncio.timeout(timeout):
            _, protocol = await asyncio.get_running_loop().create_unix_connection(factory, place)
    except TimeoutError as error:
        raise ConnectTimeout(f"no connection within {timeout:g} s") from error
    except OSError as error:
        raise _failure(error) from error
    return protocol


async def listen(
    factory: Callable[[], asyncio.BaseProtocol],
    host: str | Sequence[str],
    port: int,
    *,
    what: str,
    backlog: int = 1024,
) -> asyncio.Server:
    """Listen on a port; 0 lets the system choose one.

    Raises OperatorError naming `what` could not listen, and why.
    """
    loop = asyncio.get_running_loop()
    try:
        return await loop.create_server(factory, host, port, backlog=backlog, reuse_address=True)
    except OSError as error:
        raise cannot_listen(what, port, error) from error


def insist_on_free(port: int, *, what: str, host: str | None = None) -> None:
    """Raise OperatorError if a port is taken, even by one that would share it: ourselves, run twice."""
    with socket.socket(socket.AF_INET6 if ":" in (host or "") else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host or "", port))
        except OSError as error:
            raise cannot_listen(what, port, error) from error


def half_close(transport: asyncio.Transport) -> None:
    """Say that nothing more will be written, where there is a way to say it."""
    if transport.is_closing() or not transport.can_write_eof():
        return
    try:
        transport.write_eof()
    except OSError:  # asyncio's own loop tries at once, and the peer may have gone in this moment
        transport.abort()


def reset(transport: asyncio.Transport) -> None:
    """Drop a TCP connection with RST: `abort` alone sends FIN, which a peer takes for the regular end."""
    tcp = transport.get_extra_info("socket")
    if tcp is not None and tcp.fileno() >= 0:
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()


def cannot_listen(what: str, port: int, error: OSError) -> OperatorError:
    """Return what to tell the operator when `what` cannot have its port."""
    remedy = _REMEDIES.get(error.errno or 0, "")
    return OperatorError(f"{what} cannot listen on port {port}: {_reason(error)}{remedy}")


def _failure(error: OSError) -> NetworkError:
    unknown = isinstance(error, socket.gaierror) and error.errno != socket.EAI_AGAIN
    kind = NameNotFound if unknown else _MEANINGS.get(error.errno, NetworkError)
    return kind(_reason(error))


def _reason(error: OSError) -> str:
    """Say what went wrong without the address that asyncio puts into its texts."""
    if isinstance(error, socket.gaierror):  # whose numbers are its own
        return "the name cannot be resolved"
    return os.strerror(error.errno) if error.errno else "the connection failed"
