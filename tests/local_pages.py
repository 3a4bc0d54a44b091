"""A program that asks the HTTP proxy for what it answers itself, and the proxy it asks, in this process."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import quote

import h11

from headrace.client.local_connection import PortForwarder
from headrace.client.local_pages import LocalPages
from headrace.client.proxy_options import ProxyOptions
from headrace.net.dial import listen
from headrace.testing.memory_tunnel import MemoryTunnel

__all__ = ["Asking", "Door", "Reply", "asking", "lead"]


def lead(url: str, way: str = "tunneled", keys: str = "") -> str:
    """Return the path that asks for a URL."""
    return f"/{way}/{quote(url, safe='')}{keys}"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Asking:
    """One connection to the proxy at a port."""

    port: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    http: h11.Connection = field(default_factory=lambda: h11.Connection(h11.CLIENT))

    async def get(
        self, target: str, headers: Sequence[tuple[str, str]] = (), *, method: str = "GET"
    ) -> Reply:
        self.begin(method, target, headers)
        self.send(h11.EndOfMessage())
        return await self.reply()

    def begin(self, method: str, target: str, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Send a request's head; its Host is the proxy's address if the headers have none."""
        if not any(name.lower() == "host" for name, _ in headers):
            headers = [("Host", f"127.0.0.1:{self.port}"), *headers]
        self.send(h11.Request(method=method, target=target, headers=list(headers)))

    def send(self, event: h11.Event) -> None:
        self.writer.write(self.http.send(event) or b"")

    async def reply(self) -> Reply:
        """Read one whole response. Raises h11.RemoteProtocolError or ConnectionError if it is cut short."""
        head, body = None, b""
        while not isinstance(event := await self.event(), h11.EndOfMessage):
            if isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.ConnectionClosed):
                raise ConnectionError("closed without an answer")
        assert head is not None
        if self.http.our_state is h11.DONE and self.http.their_state is h11.DONE:
            self.http.start_next_cycle()
        return Reply(head.status_code, {k.decode(): v.decode("latin-1") for k, v in head.headers}, body)

    async def event(self) -> object:
        while (event := self.http.next_event()) is h11.NEED_DATA:
            self.http.receive_data(await self.reader.read(1 << 20))
        return event

    async def rest(self) -> bytes:
        """Read until the proxy closes."""
        return await self.reader.read(-1)


class Door(asyncio.Protocol):
    """What a connection is until its first request for the proxy itself is there."""

    def __init__(self, forwarder: PortForwarder, options: ProxyOptions) -> None:
        self._pages = LocalPages(forwarder, options)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._tcp = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._tcp.set_protocol(self._pages)
        self._pages.take_over(self._tcp, data)


@asynccontextmanager
async def asking(
    tunnel: MemoryTunnel | None = None, options: ProxyOptions | None = None
) -> AsyncIterator[Asking]:
    """Connect to a proxy that is in front of a tunnel."""
    async with tunnel or MemoryTunnel() as forwarder:
        options = options or ProxyOptions(ports={"Socks": 1080})
        server = await listen(lambda: Door(forwarder, options), "127.0.0.1", 0, what="the proxy")
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield Asking(port, reader, writer)
        finally:
            writer.transport.abort()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)
            server.close()
