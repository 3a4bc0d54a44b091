"""The storage answers as storage services do: conditions, ranges, and what is not there."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from http.client import HTTPConnection

import pytest
import pytest_asyncio

from headrace.testing.origin import payload
from headrace.testing.storage import Request, Storage

BODY = payload(100_000)
TAG = f'"{hashlib.md5(BODY, usedforsecurity=False).hexdigest()}"'
RANGE = {"Range": "bytes=60000-"}

Answer = tuple[int, bytes, dict[str, str]]


@pytest_asyncio.fixture
async def storage() -> AsyncIterator[Storage]:
    async with Storage() as there:
        there.put("/object", BODY)
        yield there


def ask(storage: Storage, path: str, headers: dict[str, str], method: str = "GET") -> Answer:
    connection = HTTPConnection(storage.host, storage.port, timeout=10)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return (
            response.status,
            response.read(),
            {name.lower(): value for name, value in response.getheaders()},
        )
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("headers", "status", "start"),
    [
        ({}, 200, 0),
        ({"Range": "bytes=0-"}, 206, 0),
        (RANGE, 206, 60_000),
        ({**RANGE, "If-Match": TAG}, 206, 60_000),
        ({"If-None-Match": '"other"'}, 200, 0),
    ],
)
async def test_what_is_there(headers: dict[str, str], status: int, start: int, storage: Storage) -> None:
    found, body, fields = await asyncio.to_thread(ask, storage, "/object", headers)
    assert (found, body, fields["etag"]) == (status, BODY[start:], TAG)
    if status == 206:
        assert fields["content-range"] == f"bytes {start}-99999/100000"
    assert storage.requests == [Request("/object", status, start)]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/object", {"If-None-Match": TAG}, 304),
        ("/object", {**RANGE, "If-Match": '"other"'}, 412),
        ("/object", {"Range": "bytes=100000-"}, 416),
        ("/other", {}, 404),
    ],
)
async def test_what_is_not(path: str, headers: dict[str, str], status: int, storage: Storage) -> None:
    found, body, fields = await asyncio.to_thread(ask, storage, path, headers)
    assert found == status
    assert bool(body) is (status != 304)
    assert fields.get("etag") == (TAG if status == 304 else None)


async def test_heads_versions_and_an_outage(storage: Storage) -> None:
    async def status(method: str = "GET") -> tuple[int, bytes]:
        return (await asyncio.to_thread(ask, storage, "/object", {}, method))[:2]

    assert await status("HEAD") == (200, b"")
    storage.put("/object", b"another")
    assert await status() == (200, b"another")
    storage.down = True
    assert (await status())[0] == 503
    storage.down = False
    storage.delete("/object")
    assert (await status())[0] == 404
    assert [request.status for request in storage.requests] == [200, 200, 503, 404]


@pytest.mark.parametrize("nonsense", [b"\x00\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b""])
async def test_nonsense_ends_the_connection_and_nothing_else(nonsense: bytes, storage: Storage) -> None:
    reader, writer = await asyncio.open_connection(storage.host, storage.port)
    writer.write(nonsense)
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()
    assert (await asyncio.to_thread(ask, storage, "/object", {}))[0] == 200
