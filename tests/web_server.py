"""A web server whose every answer a test writes down, byte by byte if it must be: on loopback, or in memory.

    server = WebServer(StoredFile(data, '"e1"'))      # ranges, conditions and ETags like a storage service
    server = WebServer(lambda asked: Answer(b"HTTP/1.1 200 OK\\r\\n", Then.RESET))

A server is the factory of its connections' protocols: give it to `listen`, `serve`, or a memory network.
"""

import asyncio
import enum
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import h11

from headrace.net.dial import reset

__all__ = ["Answer", "Asked", "StoredFile", "Then", "WebServer", "response", "serve"]


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    target: str
    headers: list[tuple[str, str]]

    def header(self, name: str) -> str | None:
        return next((value for given, value in self.headers if given.lower() == name.lower()), None)

    @property
    def start(self) -> int:
        """First byte of the range that was asked for."""
        return int((self.header("Range") or "bytes=0-").removeprefix("bytes=").removesuffix("-"))


class Then(enum.Enum):
    """What comes after an answer."""

    GO_ON = enum.auto()
    CLOSE = enum.auto()
    RESET = enum.auto()


@dataclass(frozen=True)
class Answer:
    data: bytes
    then: Then = Then.GO_ON


def response(
    status: int = 200,
    body: bytes = b"",
    headers: Sequence[tuple[str, str]] = (),
    *,
    length: int | None = None,
) -> bytes:
    """Return an answer that says how long it is; `length` is what it says if that is to be something else."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body) if length is None else length}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class StoredFile:
    """Answers for one file, whatever its path, as S3-compatible storage does."""

    def __init__(self, data: bytes, etag: str = '"e1"') -> None:
        self.data = data
        self.etag = etag
        self.sent = 0  #: bytes of the file that were given out

    def __call__(self, asked: Asked) -> Answer:
        tag = [("ETag", self.etag)]
        if asked.header("If-Match") not in (None, self.etag):
            return Answer(response(412, b"<Error>changed</Error>"))
        if asked.header("If-None-Match") == self.etag:
            return Answer(
                b"\r\n".join([b"HTTP/1.1 304 Not Modified", f"ETag: {self.etag}".encode(), b"", b""])
            )
        start, size = asked.start, len(self.data)
        if start >= size:
            return Answer(
                response(416, b"<Error>nothing there</Error>", [("Content-Range", f"bytes */{size}")])
            )
        span = ("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.sent += size - start
        return Answer(response(206, self.data[start:], [*tag, span]))


@dataclass
class WebServer:
    """Call it for the protocol of a new connection."""

    answer: Callable[[Asked], Answer]
    asked: list[Asked] = field(default_factory=list)
    open: set["_Conversation"] = field(default_factory=set)
    connections: int = 0

    def __call__(self) -> asyncio.Protocol:
        self.connections += 1
        return _Conversation(self)


class _Conversation(asyncio.Protocol):
    def __init__(self, server: WebServer) -> None:
        self._server = server
        self._http = h11.Connection(h11.SERVER)
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.tcp = cast("asyncio.Transport", transport)
        self._server.open.add(self)

    def data_received(self, data: bytes) -> None:
        self._http.receive_data(data)
        while isinstance(event := self._http.next_event(), h11.Request | h11.Data | h11.EndOfMessage):
            if isinstance(event, h11.Request):
                self._asked = Asked(
                    event.method.decode(),
                    event.target.decode(),
                    [
                        (name.decode("latin-1"), value.decode("latin-1"))
                        for name, value in event.headers.raw_items()
                    ],
                )
            elif isinstance(event, h11.EndOfMessage):
                self._answer()

    def _answer(self) -> None:
        self._http = h11.Connection(h11.SERVER)  # what we answer is none of its business
        self._server.asked.append(self._asked)
        answer = self._server.answer(self._asked)
        self.tcp.write(answer.data)
        if answer.then is Then.CLOSE:
            self.tcp.close()
        elif answer.then is Then.RESET:
            reset(self.tcp)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.open.discard(self)
        self.ended.set_result(None)


@asynccontextmanager
async def serve(server: WebServer, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve on loopback; give the port. With a context over TLS."""
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(server, "127.0.0.1", 0, ssl=context)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        for conversation in list(server.open):
            conversation.tcp.abort()
        await asyncio.gather(*(conversation.ended for conversation in server.open))
