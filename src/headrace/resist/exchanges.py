"""Ordinary exchanges over HTTP for reference: what programs that have nothing to hide look like.

Each program makes connections with one request or many on each: with bodies and without, with cookies and
without, for answers from 200 bytes to 5 MB. Sizes are drawn evenly by their logarithm. A browser is in
`commands`; it makes its connections as it likes.
"""

import asyncio
import functools
import http.client
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import h11
import httpx
import requests

from headrace.base.rng import Rng
from headrace.resist.commands import PATIENCE, Asked, run
from headrace.resist.websites import SIZES

__all__ = ["PROGRAMS", "Program", "some_requests"]

#: How many requests a connection has at most.
MOST_REQUESTS: Final = 20

#: A body that is sent has at most so many bytes.
MOST_BODY: Final = 30_000


#: Makes one connection, and the requests on it.
Program = Callable[[list[Asked]], Awaitable[None]]


def some_requests(base: str, rng: Rng) -> list[Asked]:
    """Return what is asked for on one connection: half have one request, the others up to 20."""
    count = 1 if rng.chance(0.5) else rng.between(2, MOST_REQUESTS)
    cookie = _words(rng, 20, 900) if rng.chance(0.4) else ""
    return [_asked(base, rng, cookie, largest=len(SIZES) - 1 if count == 1 else 150) for _ in range(count)]


def _asked(base: str, rng: Rng, cookie: str, largest: int) -> Asked:
    place = rng.choice(("", "a/", "b/", "c/"))
    url = f"{base}/{place}{SIZES[rng.between(0, largest)]}"
    if rng.chance(0.5):
        url += f"?{_words(rng, 3, 120)}"
    headers = {}
    if cookie:
        headers["Cookie"] = f"session={cookie}"
    if rng.chance(0.3):
        headers["Referer"] = f"https://www.example.com/{_words(rng, 3, 80)}"
    if rng.chance(0.2):
        headers["Authorization"] = f"Bearer {_words(rng, 40, 800)}"
    body = None
    if rng.chance(0.3):
        body = rng.bytes(rng.between(1, round(MOST_BODY ** rng.uniform()) + 1))
        headers["Content-Type"] = rng.choice(("application/json", "application/octet-stream"))
    return Asked(url, headers, body)


def _words(rng: Rng, least: int, most: int) -> str:
    return rng.bytes(rng.between(least, most) // 2 + 1).hex()


# ---- programs -------------------------------------------------------------------------------------------


async def _curl(asked: list[Asked]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        words: list[str] = []
        for number, one in enumerate(asked):
            words += ["--next"] if number else []
            words += ["-s", "-o", "/dev/null", one.url]
            words += [word for name, value in one.headers.items() for word in ("-H", f"{name}: {value}")]
            if one.body is not None:
                (Path(directory) / str(number)).write_bytes(one.body)
                words += ["--data-binary", f"@{directory}/{number}"]
        await run("curl", *words)


async def _wget(asked: list[Asked]) -> None:
    """Wget asks for everything with the same headers, and sends no binary body."""
    first = asked[0]
    words = [f"--header={name}: {value}" for name, value in first.headers.items()]
    if first.body is not None:
        words.append(f"--post-data={first.body.hex()}")
    await run("wget", "-q", "-O", "/dev/null", "--tries=1", *words, *(one.url for one in asked))


def _in_thread(work: Callable[[list[Asked]], None]) -> Program:
    @functools.wraps(work)
    async def program(asked: list[Asked]) -> None:
        await asyncio.to_thread(work, asked)

    return program


@_in_thread
def _requests(asked: list[Asked]) -> None:
    with requests.Session() as session:
        session.trust_env = False
        for one in asked:
            method = "GET" if one.body is None else "POST"
            session.request(method, one.url, headers=one.headers, data=one.body, timeout=PATIENCE)


@_in_thread
def _http_client(asked: list[Asked]) -> None:
    connection = http.client.HTTPConnection(urlsplit(asked[0].url).netloc, timeout=PATIENCE)
    try:
        for one in asked:
            method = "GET" if one.body is None else "POST"
            connection.request(method, _target(one), one.body, dict(one.headers))
            connection.getresponse().read()
    finally:
        connection.close()


async def _aiohttp(asked: list[Asked]) -> None:
    connector = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(connector=connector) as session:
        for one in asked:
            method = "GET" if one.body is None else "POST"
            async with session.request(method, one.url, headers=one.headers, data=one.body) as got:
                await got.read()


async def _httpx(asked: list[Asked]) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
        for one in asked:
            method = "GET" if one.body is None else "POST"
            await client.request(method, one.url, headers=dict(one.headers), content=one.body)


async def _h11(asked: list[Asked]) -> None:
    """A program of one's own, which sends a request's head and body apart."""
    host = urlsplit(asked[0].url).netloc
    reader, writer = await asyncio.open_connection(*host.split(":"))
    machine = h11.Connection(h11.CLIENT)
    try:
        for one in asked:
            headers = [("Host", host), ("User-Agent", "Feed/2.1"), ("Accept", "*/*"), *one.headers.items()]
            if one.body is not None:
                headers.append(("Content-Length", str(len(one.body))))
            method = "GET" if one.body is None else "POST"
            writer.write(
                machine.send(h11.Request(method=method, target=_target(one), headers=headers)) or b""
            )
            if one.body is not None:
                writer.write(machine.send(h11.Data(data=one.body)) or b"")
            writer.write(machine.send(h11.EndOfMessage()) or b"")
            while not isinstance(event := machine.next_event(), h11.EndOfMessage):
                if event is h11.NEED_DATA:
                    machine.receive_data(await reader.read(65536))
            machine.start_next_cycle()
    finally:
        writer.close()


def _target(asked: Asked) -> str:
    parts = urlsplit(asked.url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


_ALL: Final[dict[str, Program]] = {
    "curl": _curl,
    "wget": _wget,
    "requests": _requests,
    "http.client": _http_client,
    "aiohttp": _aiohttp,
    "httpx": _httpx,
    "h11": _h11,
}

#: The programs that are here, by name.
PROGRAMS: Final = {
    name: program for name, program in _ALL.items() if name not in ("curl", "wget") or shutil.which(name)
}
