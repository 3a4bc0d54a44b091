"""Where server lists are published: a web server on loopback that keeps objects, as storage services do.

    async with Storage() as storage:
        url = storage.put("/server_list_compressed", package)

It answers GET and HEAD with ETags, and heeds Range, If-None-Match and If-Match.
"""

import asyncio
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import h11

from headrace.testing.web_listener import WebListener

__all__ = ["Request", "Storage"]

_RANGE: Final = re.compile(rb"bytes=(\d+)-")
_PIECE: Final = 64 * 1024

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for, and how it was answered."""

    path: str
    status: int
    start: int = 0  #: the first byte wanted


@dataclass
class Storage(WebListener):
    """The server, listening while the `async with` block runs."""

    requests: list[Request] = field(default_factory=list)
    down: bool = False  #: answers nothing but 503
    _objects: dict[str, bytes] = field(default_factory=dict)

    def put(self, path: str, content: bytes) -> str:
        """Publish an object, or another version of it; return its URL. The path begins with a slash."""
        self._objects[path] = content
        return self.url(path)

    def delete(self, path: str) -> None:
        """Take an object back."""
        del self._objects[path]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        http = h11.Connection(h11.SERVER)
        request: h11.Request | None = None
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                http.receive_data(await reader.read(_PIECE))
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.EndOfMessage):
                assert request is not None
                status, headers, body = self._answer(request)
                for part in _parts(status, headers, body, head=request.method == b"HEAD"):
                    if data := http.send(part):
                        writer.write(data)
                        await writer.drain()
                if http.our_state is not h11.DONE:
                    return
                http.start_next_cycle()
            elif isinstance(event, h11.ConnectionClosed):
                return

    def _answer(self, request: h11.Request) -> tuple[int, Headers, bytes]:
        path = request.target.decode("ascii")
        headers = dict(request.headers)
        match = _RANGE.fullmatch(headers.get(b"range", b""))
        start = int(match[1]) if match else 0
        status, fields, body = self._find(path, headers, start if match else None)
        self._note(Request(path, status, start))
        return status, fields, body

    def _note(self, request: Request) -> None:
        """Remember a request; a server that runs for long does not."""
        self.requests.append(request)

    def _content(self, path: str) -> bytes | None:
        """Return the object at a path as it was asked for, None if there is none."""
        return self._objects.get(path)

    def _find(self, path: str, headers: dict[bytes, bytes], start: int | None) -> tuple[int, Headers, bytes]:
        content = self._content(path)
        if self.down:
            return 503, [], b"later\n"
        if content is None:
            return 404, [], b"no such object\n"
        tag = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
        if headers.get(b"if-match", tag.encode()) != tag.encode():
            return 412, [], b"it has changed\n"
        if headers.get(b"if-none-match") == tag.encode():
            return 304, [("ETag", tag)], b""
        if start is None:
            return 200, [("ETag", tag)], content
        if start >= len(content):
            return 416, [], b"it ends before that\n"
        place = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return 206, [("ETag", tag), ("Content-Range", place)], content[start:]


def _parts(status: int, headers: Headers, body: bytes, *, head: bool) -> Sequence[h11.Event]:
    sizes = [] if status == 304 else [("Content-Length", str(len(body)))]
    events: list[h11.Event] = [h11.Response(status_code=status, headers=[*headers, *sizes])]
    if body and not head:
        events += [h11.Data(data=body[start : start + _PIECE]) for start in range(0, len(body), _PIECE)]
    return [*events, h11.EndOfMessage()]
