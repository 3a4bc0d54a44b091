"""A web server in memory that serves like S3-compatible storage: MD5 sums as ETags, ranges, conditions."""

import asyncio
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tests.memory_network import Network

__all__ = ["Request", "Storage", "etag"]

_RANGE: Final = re.compile(r"bytes=(\d+)-")


def etag(content: bytes) -> str:
    """Return the ETag that storage gives this content, quotes included."""
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


@dataclass(frozen=True)
class Request:
    """What was asked for: `time` is the loop's."""

    time: float
    path: str
    headers: dict[str, str]


@dataclass
class Storage:
    """Objects by path, at `http://<host>:<port>`. `cut` is how much of a body passes, None all."""

    network: Network
    host: str = "storage.example"
    port: int = 80
    objects: dict[str, bytes] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    cut: Callable[[], int | None] = lambda: None
    down: bool = False  #: answers nothing but "503"

    def __post_init__(self) -> None:
        self.network.places[self.host, self.port] = lambda: _Connection(self)

    def url(self, path: str) -> str:
        return f"http://{self.host}:{self.port}{path}"

    @property
    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [request.path for request in self.requests]

    def answer(self, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body."""
        content = self.objects.get(path)
        if self.down:
            return 503, {}, b""
        if content is None:
            return 404, {}, b"no such key"
        tag = {"ETag": etag(content)}
        if headers.get("if-match", tag["ETag"]) != tag["ETag"]:
            return 412, {}, b""
        if headers.get("if-none-match") == tag["ETag"]:
            return 304, tag, b""
        match = _RANGE.fullmatch(headers.get("range", ""))
        start = int(match[1]) if match else 0
        if start and start >= len(content):
            return 416, tag, b"range not satisfiable"
        end = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        return 206, {**tag, **end}, content[start:]


class _Connection(asyncio.Protocol):
    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._tcp = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            self._respond(head.decode())

    def _respond(self, head: str) -> None:
        first, *lines = head.split("\r\n")
        method, path, _ = first.split(" ")
        assert method == "GET"
        pairs = (line.split(": ", 1) for line in lines)
        headers = {name.lower(): value for name, value in pairs}
        storage = self._storage
        storage.requests.append(Request(asyncio.get_running_loop().time(), path, headers))
        status, fields, body = storage.answer(path, headers)
        fields["Content-Length"] = str(len(body))
        text = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._tcp.write(f"HTTP/1.1 {status} Because\r\n{text}\r\n".encode())
        allowed = storage.cut()
        self._tcp.write(body if allowed is None else body[:allowed])
        if allowed is not None and allowed < len(body):
            self._tcp.close()
