"""A web server on loopback, whose every byte can be checked: what tests and the demonstration fetch from.

GET  /              a small page
GET  /bytes/N       N pseudo-random bytes, the same for the same N everywhere (`payload`)
GET  /chunked/N     the same, chunked
GET  /until-close/N the same, without saying how many: the connection's end is the end
GET  /empty         204, no content
GET  /head          the request's head as the origin got it, as JSON
POST /sum           the length and SHA-256 of what was sent, as JSON
"""

import asyncio
import hashlib
import json
from dataclasses import dataclass, field

import h11

from headrace.base.rng import SeededRng
from headrace.testing.web_listener import WebListener

__all__ = ["PAGE", "Origin", "payload"]

PAGE = (
    b"<!doctype html><html lang=en><meta charset=utf-8><title>headrace</title>"
    b"<h1>It works</h1><p>This page came through the tunnel.</p></html>\n"
)
_PIECE = 64 * 1024


def payload(size: int) -> bytes:
    """Return `size` bytes that look random and are the same whenever they are asked for."""
    return SeededRng(f"origin {size}").bytes(size)


@dataclass
class Origin(WebListener):
    """The server, listening while the `async with` block runs. `requests` lists what it was asked."""

    requests: list[str] = field(default_factory=list)
    connections: int = 0  #: how many there have been

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await _Conversation(reader, writer, self.requests).run()


class _Conversation:
    """One connection: requests and answers until either side has had enough."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, requests: list[str]
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._requests = requests
        self._http = h11.Connection(h11.SERVER)

    async def run(self) -> None:
        http = self._http
        while isinstance(request := await self._next_event(), h11.Request):
            target = request.target.decode("ascii")
            self._requests.append(f"{request.method.decode('ascii')} {target}")
            _, kind, *rest = target.partition("?")[0].split("/")
            size = int(rest[0]) if rest and rest[0].isdigit() else 0
            if http.they_are_waiting_for_100_continue:
                await self._send(h11.InformationalResponse(status_code=100, headers=[]))
            summary = await self._take_body()
            if target == "/":
                await self._answer(PAGE, "text/html")
            elif kind == "bytes":
                await self._answer(payload(size))
            elif kind == "chunked":
                await self._answer(payload(size), framing=[("transfer-encoding", "chunked")])
            elif kind == "until-close":
                await self._answer(payload(size), framing=[("connection", "close")])
            elif kind == "head":
                await self._answer(json.dumps(_head(request)).encode(), "application/json")
            elif kind == "sum":
                await self._answer(json.dumps(summary).encode(), "application/json")
            elif kind == "empty":
                await self._send(h11.Response(status_code=204, headers=[]))
                await self._send(h11.EndOfMessage())
            else:
                await self._answer(b"there is no such page\n", "text/plain", status=404)
            if http.our_state is not h11.DONE or http.their_state is not h11.DONE:
                return
            http.start_next_cycle()

    async def _take_body(self) -> dict[str, object]:
        digest, length = hashlib.sha256(), 0
        while isinstance(event := await self._next_event(), h11.Data):
            digest.update(event.data)
            length += len(event.data)
        return {"length": length, "sha256": digest.hexdigest()}

    async def _answer(
        self,
        body: bytes,
        kind: str = "application/octet-stream",
        *,
        status: int = 200,
        framing: list[tuple[str, str]] | None = None,
    ) -> None:
        sizes = [("content-length", str(len(body)))] if framing is None else framing
        await self._send(h11.Response(status_code=status, headers=[("content-type", kind), *sizes]))
        view = memoryview(body)
        for start in range(0, len(body), _PIECE):
            await self._send(h11.Data(data=bytes(view[start : start + _PIECE])))
        await self._send(h11.EndOfMessage())

    async def _next_event(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self._reader.read(_PIECE))
        return event

    async def _send(self, event: h11.Event) -> None:
        if data := self._http.send(event):
            self._writer.write(data)
            await self._writer.drain()


def _head(request: h11.Request) -> dict[str, object]:
    return {
        "method": request.method.decode("ascii"),
        "target": request.target.decode("ascii"),
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.headers],
    }
