"""Ports for programs that cannot choose one themselves."""

import socket
from contextlib import ExitStack

__all__ = ["unused_ports"]


def unused_ports(count: int) -> list[int]:
    """Return different loopback ports that nobody listened on a moment ago."""
    with ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(server.getsockname()[1]) for server in servers]
