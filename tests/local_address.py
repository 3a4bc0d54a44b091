"""Clients with addresses of their own on one machine: all of 127.0.0.0/8 is its."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from headrace.net.upstream_proxy import UpstreamProxy

__all__ = ["From"]

P = TypeVar("P", bound=asyncio.BaseProtocol)


class From(UpstreamProxy):
    """The way out that starts at an address of one's own; there is no proxy."""

    def __init__(self, address: str) -> None:
        self.address = address

    async def dial(self, host: str, port: int, factory: Callable[[], P], timeout: float) -> P:
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_connection(factory, host, port, local_addr=(self.address, 0))
        return protocol
