"""A page that a browser has to fetch 30 things for, all of them at once, and what it looks like then.

    GET  /           the page
    POST /report     what the page's script has to tell
    GET  /N.svg      a tile in a colour of its own

Tiles are sent when all of them have been asked for and the report has come. A browser makes few connections
to one port, and has as many requests under way: tiles are spread over several, and the page is at another.
"""

import asyncio
import colorsys
import re
import struct
import zlib
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

__all__ = ["MESSAGE", "SIZE", "TILES", "TilePage", "colours_in"]

TILES = 30
MESSAGE = "Grüße"
#: Width and height of the window that just holds the tiles.
SIZE = (240, 200)

_PER_PORT = 6
_PAGE = """<!doctype html>
<html lang=en>
<meta charset=utf-8>
<title>Tiles</title>
<link rel=icon href="data:,">
<style>body {{ margin: 0; line-height: 0 }}</style>
{tiles}
<script>
  const socket = new WebSocket("ws://localhost:{echo_port}/");
  socket.onopen = () => socket.send("{message}");
  socket.onmessage = (event) => fetch("/report", {{method: "POST", body: event.data}});
</script>
</html>
"""
_TILE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40">'
    '<rect width="40" height="40" fill="rgb{}"/></svg>'
)


class TilePage:
    """The servers of the page; `asked` lists the requests."""

    def __init__(self, echo_port: int) -> None:
        self.asked: list[str] = []
        self.reports: list[str] = []
        self._echo_port = echo_port
        self._everybody = asyncio.Barrier(TILES)
        self._reported = asyncio.Event()
        self._ports: list[int] = []  # the page's, then the tiles'
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def url(self) -> str:
        return f"http://localhost:{self._ports[0]}/"

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        """Serve the page until the block is left."""
        with ExitStack() as stack:
            for _ in range(1 + TILES // _PER_PORT):
                server = await asyncio.start_server(self._converse, "127.0.0.1", 0)
                stack.callback(server.close)
                self._ports.append(server.sockets[0].getsockname()[1])
            yield
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.append(task)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = re.search(r"^content-length: *(\d+)", head, re.IGNORECASE | re.MULTILINE)
                body = await reader.readexactly(int(length[1]) if length else 0)
                kind, text = await self._answer(head.partition(" HTTP/")[0], body.decode())
                lines = ("HTTP/1.1 200 OK", f"Content-Type: {kind}", f"Content-Length: {len(text)}", "", "")
                writer.write(("\r\n".join(lines) + text).encode())
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass  # the browser has gone, or we are
        finally:
            writer.close()

    async def _answer(self, request: str, body: str) -> tuple[str, str]:
        self.asked.append(request)
        match request.split("/", 1):
            case ["GET ", ""]:
                return "text/html", self._page()
            case ["POST ", "report"]:
                self.reports.append(body)
                self._reported.set()
                return "text/plain", ""
            case ["GET ", tile]:
                await self._everybody.wait()
                await self._reported.wait()
                return "image/svg+xml", _TILE.format(colour(int(tile.removesuffix(".svg"))))
        raise AssertionError(request)

    def _page(self) -> str:
        _, *ports = self._ports
        tiles = "".join(
            f'<img src="http://localhost:{ports[number // _PER_PORT]}/{number}.svg">'
            for number in range(TILES)
        )
        return _PAGE.format(tiles=tiles, echo_port=self._echo_port, message=MESSAGE)


def colour(number: int) -> tuple[int, int, int]:
    """Return the colour of a tile."""
    red, green, blue = colorsys.hsv_to_rgb(number / TILES, 1, 1)
    return round(red * 255), round(green * 255), round(blue * 255)


def colours_in(image: bytes) -> set[tuple[int, int, int]]:
    """Return the colours of a PNG of eight bits a channel, without transparency, as browsers make them."""
    chunks: dict[bytes, bytes] = {}
    start = 8
    while start < len(image):
        length, kind = struct.unpack_from(">I4s", image, start)
        chunks[kind] = chunks.get(kind, b"") + image[start + 8 : start + 8 + length]
        start += 12 + length
    width, height, *form = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert form == [8, 2, 0, 0, 0]
    stride = 3 * width
    rows = zlib.decompress(chunks[b"IDAT"])
    above, found = bytearray(stride), set()
    for row in range(height):
        begin = row * (stride + 1)
        above = _unfilter(rows[begin], rows[begin + 1 : begin + 1 + stride], above)
        found |= {(above[at], above[at + 1], above[at + 2]) for at in range(0, stride, 3)}
    return found


def _unfilter(kind: int, row: bytes, above: bytearray) -> bytearray:
    """Return a row of pixels: each byte is told as a difference to a guess (PNG specification, §9)."""
    done = bytearray(row)
    for at, byte in enumerate(row):
        left, up, corner = (done[at - 3], above[at], above[at - 3]) if at >= 3 else (0, above[at], 0)
        near = left + up - corner
        paeth = min((left, up, corner), key=lambda value: abs(near - value))
        done[at] = (byte + (0, left, up, (left + up) // 2, paeth)[kind]) & 255
    return done
