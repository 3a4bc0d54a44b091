"""Fetching through the local proxies as an application would, and checking every byte."""

import asyncio
import hashlib
import json
import struct
from collections.abc import Callable
from typing import Final

from headrace.base.errors import NetworkError
from headrace.testing.origin import PAGE, payload

__all__ = ["Progress", "download", "fetch_page", "upload"]

#: Told how many bytes have passed since the last call.
Progress = Callable[[int], None]
_PIECE: Final = 256 * 1024


async def download(socks_port: int, origin_port: int, size: int, progress: Progress) -> None:
    """Fetch `size` bytes through SOCKS. Raises NetworkError unless every one is what the origin sent."""
    expected = memoryview(payload(size))
    reader, writer = await _connect(socks_port, origin_port)
    try:
        writer.write(f"GET /bytes/{size} HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n".encode())
        await _head(reader)
        position = 0
        while data := await reader.read(_PIECE):
            if data != expected[position : position + len(data)]:
                raise NetworkError(f"bytes after {position} are not those that were sent")
            position += len(data)
            progress(len(data))
        if position != size:
            raise NetworkError(f"{position} of {size} bytes arrived")
    finally:
        writer.close()


async def upload(socks_port: int, origin_port: int, size: int, progress: Progress) -> None:
    """Send `size` bytes through SOCKS. Raises NetworkError unless the origin's digest is ours."""
    body = payload(size)
    reader, writer = await _connect(socks_port, origin_port)
    try:
        head = f"POST /sum HTTP/1.1\r\nHost: demo\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n"
        writer.write(head.encode())
        for start in range(0, size, _PIECE):
            piece = body[start : start + _PIECE]
            writer.write(piece)
            await writer.drain()
            progress(len(piece))
        await _head(reader)
        answer = json.loads(await reader.read())
    finally:
        writer.close()
    if answer != {"length": size, "sha256": hashlib.sha256(body).hexdigest()}:
        raise NetworkError("the origin did not get the bytes that were sent")


async def fetch_page(http_port: int, origin_port: int) -> None:
    """Fetch a page through the HTTP proxy. Raises NetworkError unless it is the origin's."""
    reader, writer = await asyncio.open_connection("127.0.0.1", http_port)
    try:
        origin = f"127.0.0.1:{origin_port}"
        writer.write(f"GET http://{origin}/ HTTP/1.1\r\nHost: {origin}\r\nConnection: close\r\n\r\n".encode())
        await _head(reader)
        if await reader.read() != PAGE:
            raise NetworkError("the page is not the origin's")
    finally:
        writer.close()


async def _connect(socks_port: int, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", socks_port)
    writer.write(b"\x05\x01\x00" + b"\x05\x01\x00\x01\x7f\x00\x00\x01" + struct.pack(">H", port))
    answer = await reader.readexactly(12)
    if answer[3] != 0:
        raise NetworkError("the tunnel did not open a port forward")
    return reader, writer


async def _head(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n")[0]:
        raise NetworkError("the origin did not answer as it should")
