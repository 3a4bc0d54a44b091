"""Visits to a web server, as raw bytes: what all kinds of programs send it, and what it says to that.

for visit in draw_visits(rng, 300):
    assert await make(visit, *front) == await make(visit, *direct)
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headrace.base.rng import Rng
from headrace.resist.nginx import running_nginx
from headrace.resist.ports import unused_ports

__all__ = ["RESET", "Visit", "draw_visits", "make", "running_site"]

RESET: Final = b" (and a reset)"
"""Stands behind what was said where the connection did not end as it should."""

_SITE: Final = """
    log_format visits '$remote_addr $status';
    access_log visits.log visits;
    default_type application/octet-stream;
    types {{ text/html html; text/css css; }}
    gzip on;
    gzip_types text/css;
    keepalive_timeout 20s;
    server {{
        listen 127.0.0.1:{port};
        listen "unix:{socket}";
        root files;
        location /said {{ return 200 "thank you\\n"; }}
        location /moved {{ return 302 /index.html; }}
    }}
"""
_FILES = {"index.html": 700, "style.css": 9_000, "small": 1, "empty": 0, "large": 3_000_000}
_AGENTS = (
    "curl/7.88.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Go-http-client/1.1",
    "python-requests/2.32.3",
)
_DATE = re.compile(rb"\r\nDate: [^\r\n]*")


@dataclass(frozen=True, slots=True)
class Visit:
    """What somebody sends on one connection, piece by piece; then the server, or he, says goodbye."""

    pieces: tuple[bytes, ...]
    half_closes: bool = False

    @property
    def data(self) -> bytes:
        return b"".join(self.pieces)


@asynccontextmanager
async def running_site(directory: Path) -> AsyncIterator[int]:
    """Run a website from an empty directory; gives its port. It also listens on `socket` in there.

    Raises OperatorError without nginx.
    """
    (directory / "files").mkdir()
    for name, size in _FILES.items():
        (directory / "files" / name).write_bytes(b"".join(b"%07d\n" % at for at in range(0, size, 8))[:size])
    (port,) = unused_ports(1)
    async with running_nginx(directory, _SITE.format(port=port, socket=directory / "socket")):
        yield port


async def make(visit: Visit, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Make a visit; return all that is said to it, without the time of day."""

    async def send() -> None:
        for piece in visit.pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        if visit.half_closes:
            writer.write_eof()

    sending = asyncio.create_task(send())
    said = bytearray()
    try:
        while piece := await reader.read(1 << 20):
            said += piece
    except ConnectionError:
        said += RESET
    await asyncio.gather(sending, return_exceptions=True)
    writer.close()
    return _DATE.sub(b"", bytes(said))


def draw_visits(rng: Rng, count: int) -> Iterator[Visit]:
    """Yield so many visits."""
    for _ in range(count):
        *first, last = (_request(rng, last=False) for _ in range(rng.choice((1, 1, 1, 1, 2, 5))))
        half_closes = rng.chance(0.1)
        requests = b"".join((*first, last if half_closes else _request(rng, last=True)))
        yield Visit(tuple(_cut(requests, rng)), half_closes)


def _cut(data: bytes, rng: Rng) -> Iterator[bytes]:
    """Cut it as a network may."""
    if rng.chance(0.5):
        yield data
        return
    most = rng.choice((10, 500, 1400, 100_000))
    while data:
        size = rng.between(1, most) if len(data) < 20_000 else 20_000
        yield data[:size]
        data = data[size:]


def _request(rng: Rng, *, last: bool) -> bytes:
    kinds = (_get, _get, _get, _post, _post, _other)
    method, fields, body = rng.choice((*kinds, _odd) if last else kinds)(rng)
    path = rng.choice((*_FILES, "said", "said", "moved", "nowhere", "said?q=" + "x" * rng.between(0, 3000)))
    version = rng.choice((b"1.1", b"1.1", b"1.1", b"1.1", b"1.0"))
    lines = [b"Host: site.example", b"User-Agent: " + rng.choice(_AGENTS).encode(), *fields]
    if version == b"1.0" and not last:
        lines.append(b"Connection: keep-alive")
    if last:
        lines.append(b"Connection: close")
    start = b"%b /%b HTTP/%b" % (method, path.encode(), version)
    return b"\r\n".join([start, *rng.shuffled(lines), b"", b""]) + body


_Parts = tuple[bytes, list[bytes], bytes]


def _get(rng: Rng) -> _Parts:
    fields = [b"Accept: */*"]
    if rng.chance(0.3):
        first = rng.between(0, 4000)
        fields.append(b"Range: bytes=%d-%d" % (first, first + rng.between(0, 4000)))
    if rng.chance(0.3):
        fields.append(b"Accept-Encoding: gzip, deflate")
    if rng.chance(0.1):
        fields.append(b"If-Modified-Since: Tue, 01 Jan 2030 00:00:00 GMT")
    return rng.choice((b"GET", b"GET", b"HEAD")), fields, b""


def _post(rng: Rng) -> _Parts:
    body = rng.bytes(rng.choice((0, 1, 20, 900, 15_000, 40_000, 300_000)))
    if rng.chance(0.3):
        fields = [b"Transfer-Encoding: chunked"]
        size = rng.between(1, 9000)
        chunks = [body[at : at + size] for at in range(0, len(body), size)]
        body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    else:
        fields = [b"Content-Length: %d" % len(body)]
    if rng.chance(0.1):
        fields.append(b"Expect: 100-continue")
    return rng.choice((b"POST", b"POST", b"PUT")), fields, body


def _other(rng: Rng) -> _Parts:
    return rng.choice((b"OPTIONS", b"DELETE", b"TRACE", b"PROPFIND", b"BREW")), [], b""


def _odd(rng: Rng) -> _Parts:
    """Return what a server may not like: what comes after it, it resets instead of answering."""
    return rng.choice(
        (
            (b"GET", [b"X-Long: " + b"x" * rng.between(1, 20_000)], b""),
            (b"GET", [b"Host: another.example"], b""),
            (b"GET", [b"Upgrade: websocket"], b""),
        )
    )
