"""The origin answers with what it promises: other tests stand on it."""

import asyncio
import hashlib
import json
from contextlib import closing
from http.client import HTTPConnection

import pytest

from headrace.testing.origin import PAGE, Origin, payload


def test_the_payload_is_the_same_everywhere_and_long_enough() -> None:
    assert [len(payload(size)) for size in (0, 1, 1000)] == [0, 1, 1000]
    assert payload(1000) == payload(1000)
    assert payload(1000)[:100] != payload(100)
    assert hashlib.sha256(payload(1000)).hexdigest().startswith("9124e877450f0af7")


def fetch(origin: Origin, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    """Return the status and body of one answer."""
    connection = HTTPConnection(origin.host, origin.port, timeout=10)
    connection.request("GET" if body is None else "POST", path, body, headers={"X-Some": "thing"})
    response = connection.getresponse()
    with closing(connection):
        return response.status, response.read()


async def test_every_page(origin: Origin) -> None:
    async def get(path: str, body: bytes | None = None) -> tuple[int, bytes]:
        return await asyncio.to_thread(fetch, origin, path, body)

    assert await get("/") == (200, PAGE)
    for path in ("bytes", "chunked", "until-close"):
        assert await get(f"/{path}/70000") == (200, payload(70_000))
    assert await get("/empty") == (204, b"")
    assert (await get("/nonsense"))[0] == 404
    head = json.loads((await get("/head?a=b"))[1])
    assert (head["method"], head["target"]) == ("GET", "/head?a=b")
    assert ["x-some", "thing"] in head["headers"]
    answer = json.loads((await get("/sum", b"abc"))[1])
    assert answer == {"length": 3, "sha256": hashlib.sha256(b"abc").hexdigest()}
    assert origin.requests[0] == "GET /"


@pytest.mark.parametrize("nonsense", [b"\x00\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b""])
async def test_nonsense_ends_the_connection_and_nothing_else(nonsense: bytes, origin: Origin) -> None:
    reader, writer = await asyncio.open_connection(origin.host, origin.port)
    writer.write(nonsense)
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()
    assert await asyncio.to_thread(fetch, origin, "/") == (200, PAGE)
