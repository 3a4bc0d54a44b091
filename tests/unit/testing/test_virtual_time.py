"""Virtual time: timers in order, without waiting; sockets on loopback are served before time moves on."""

import asyncio
import time

import pytest

from headrace.testing import virtual_time


async def test_a_day_passes_at_once() -> None:
    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        told: list[str] = []
        for hours, text in ((25, "late"), (1, "early"), (2, "middle")):
            loop.call_later(hours * 3600, told.append, text)
        await asyncio.sleep(26 * 3600)
        assert loop.time() == pytest.approx(26 * 3600)
        return told

    begun = time.monotonic()
    assert await asyncio.to_thread(virtual_time.run, main()) == ["early", "middle", "late"]
    assert time.monotonic() - begun < 5


@pytest.mark.virtual_time
async def test_the_marker_gives_a_test_such_a_loop() -> None:
    assert isinstance(asyncio.get_running_loop(), virtual_time.VirtualTimeLoop)
    assert asyncio.get_running_loop().time() < 1
    await asyncio.sleep(1_000_000)


@pytest.mark.virtual_time
async def test_the_shortest_delay_passes_too() -> None:
    await asyncio.sleep(20.1)
    loop = asyncio.get_running_loop()
    before = loop.time()
    assert before + 1e-15 == before
    await asyncio.sleep(1e-15)
    assert before < loop.time() < before + 1e-9


@pytest.mark.virtual_time
async def test_what_was_sent_arrives_before_a_timeout_strikes() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, asyncio.timeout(0.001):
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for _ in range(20):
            writer.write(b"ping")
            assert await reader.readexactly(4) == b"ping"
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()


@pytest.mark.virtual_time
async def test_a_timeout_strikes_when_nothing_comes() -> None:
    begun = asyncio.get_running_loop().time()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(300):
            await asyncio.Event().wait()
    assert asyncio.get_running_loop().time() - begun == pytest.approx(300)
