"""Heads of HTTP messages in pieces, and a relay that makes them."""

import asyncio

import pytest

from headrace.resist.cutting import cut, cutting

HEAD = b"POST /up HTTP/1.1\r\nHost: files.example.org\r\n\r\n"


@pytest.mark.parametrize("pieces", [1, 2, 3, 7])
def test_only_the_head_is_cut(pieces: int) -> None:
    parts = cut(HEAD + b"body", pieces)
    assert len(parts) == pieces + 1
    assert b"".join(parts[:-1]) == HEAD
    assert parts[-1] == b"body"
    lengths = {len(part) for part in parts[:-1]}
    assert max(lengths) - min(lengths) <= 1


def test_what_is_no_head_is_cut_as_a_whole() -> None:
    assert cut(b"abcdefgh", 2) == [b"abcd", b"efgh"]
    assert cut(b"a", 7) == [b"a"]
    assert cut(b"", 3) == []


async def test_connections_are_relayed_whole_to_the_end_of_either_side() -> None:
    heard = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())
        writer.write(b"answer")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        async with cutting(server.sockets[0].getsockname()[1], 3) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(HEAD + b"body")
            writer.write_eof()
            assert await reader.read() == b"answer"
            writer.close()
            await writer.wait_closed()
    assert heard == [HEAD + b"body"]
