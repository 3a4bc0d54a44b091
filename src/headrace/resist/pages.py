"""Page loads, directly or inside a tunnel: over TLS, which is what F5 looks for, or without it.

A page is one handshake and a few requests, the next when the last one's answer is there; then, on further
connections at the same time, some of what belongs to it.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Final

import h11

from headrace.base.errors import NetworkError
from headrace.base.rng import Rng
from headrace.net.streams import ByteStream
from headrace.resist.websites import SIZES

__all__ = ["Connect", "load_page", "visit"]

#: Opens a stream to a loopback port.
Connect = Callable[[int], Awaitable[ByteStream]]

#: A request of a page is for one of the first so many sizes: up to 50 KB.
SMALL: Final = 138

_HOST: Final = "www.example.com"
_BROWSER: Final = (
    ("Host", _HOST),
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("Accept-Language", "en-US,en;q=0.5"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Connection", "keep-alive"),
)


async def visit(
    connect: Connect, port: int, context: ssl.SSLContext | None, rng: Rng, *, streams: int
) -> None:
    """Load a page from the site at `port`, with `streams` connections in all. Raises NetworkError."""
    await load_page(connect, port, context, rng)
    if streams > 1:
        async with asyncio.TaskGroup() as group:
            for _ in range(streams - 1):
                group.create_task(load_page(connect, port, context, rng))


async def load_page(connect: Connect, port: int, context: ssl.SSLContext | None, rng: Rng) -> None:
    """Make one connection, over TLS if there is a context, and one to six requests on it."""
    stream = await connect(port)
    try:
        way = stream if context is None else await _Tls.shake_hands(stream, context)
        machine = h11.Connection(h11.CLIENT)
        cookie = [("Cookie", f"id={rng.bytes(rng.between(8, 300)).hex()}")] if rng.chance(0.5) else []
        for _ in range(rng.between(1, 6)):
            target = f"/{rng.choice(('', 'a/', 'b/', 'c/'))}{SIZES[rng.between(0, SMALL)]}"
            asked = h11.Request(method="GET", target=target, headers=[*_BROWSER, *cookie])
            await way.write((machine.send(asked) or b"") + (machine.send(h11.EndOfMessage()) or b""))
            while not isinstance(event := machine.next_event(), h11.EndOfMessage):
                if event is h11.NEED_DATA:
                    machine.receive_data(await way.read())
            machine.start_next_cycle()
    finally:
        stream.close()


class _Tls:
    """The client's side of TLS on a stream."""

    def __init__(self, stream: ByteStream, context: ssl.SSLContext) -> None:
        self._stream = stream
        self._received, self._to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._received, self._to_send, server_hostname=_HOST)

    @classmethod
    async def shake_hands(cls, stream: ByteStream, context: ssl.SSLContext) -> "_Tls":
        tls = cls(stream, context)
        while True:
            try:
                tls._tls.do_handshake()
            except ssl.SSLWantReadError:
                await tls._send()
                await tls._receive()
            else:
                await tls._send()
                return tls

    async def write(self, data: bytes) -> None:
        self._tls.write(data)
        await self._send()

    async def read(self) -> bytes:
        while True:
            try:
                return self._tls.read(65536)
            except ssl.SSLWantReadError:
                await self._receive()

    async def _send(self) -> None:
        if data := self._to_send.read():
            await self._stream.write(data)

    async def _receive(self) -> None:
        data = await self._stream.read()
        if not data:
            raise NetworkError("the site closed the connection")
        self._received.write(data)
