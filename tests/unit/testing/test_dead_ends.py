"""Each dead end is dead in its own way, at each of its addresses, and gone when its block ends."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import pytest

from headrace.documents.server_entry import ServerEntry
from headrace.testing.dead_ends import refusing, silent, stalling, unreachable
from headrace.testing.entries import address_of, make_entries

PLACES = ("127.0.0.1", "127.64.0.1", "127.64.0.9")
PATIENCE = 3600.0  # seconds of virtual time

DeadEnd = Callable[[Sequence[str]], AbstractContextManager[int]]


@pytest.mark.parametrize("place", PLACES)
async def test_refusing(place: str) -> None:
    with refusing() as port:
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(place, port)
        with pytest.raises(OSError, match="in use"), socket.socket() as other:
            other.bind((place, port))


@pytest.mark.virtual_time
async def test_silent() -> None:
    with silent(PLACES) as port:
        for place in PLACES:
            reader, writer = await asyncio.open_connection(place, port)
            writer.write(b"hello")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await reader.read(1)
            writer.close()


@pytest.mark.virtual_time
async def test_unreachable() -> None:
    with unreachable(PLACES) as port:
        for place in PLACES:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await asyncio.open_connection(place, port)


@pytest.mark.virtual_time
@pytest.mark.parametrize("says", [b"", b"SSH-2.0-server\r\n"])
async def test_stalling(says: bytes) -> None:
    async with stalling(PLACES, says=says) as port:
        for place in PLACES:
            reader, writer = await asyncio.open_connection(place, port)
            writer.write(bytes(10_000_000))  # no buffer is that large
            await writer.drain()
            assert await reader.readexactly(len(says)) == says
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await reader.read(1)
            writer.close()
        reader, kept = await asyncio.open_connection(PLACES[0], port)
        await reader.readexactly(len(says))
        await asyncio.sleep(0.1)
    assert await reader.read(1) == b""  # it ends
    kept.close()
    for place in PLACES:
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(place, port)


def test_there_may_be_hundreds() -> None:
    addresses = [address_of(number) for number in range(300)]
    with silent(addresses) as port:
        for fields in make_entries(300, port=port):
            entry = ServerEntry.from_fields(fields)
            with socket.create_connection((entry.ip_address, entry.dial_port("OSSH")), timeout=5):
                pass


@pytest.mark.parametrize("dead_end", [silent, unreachable])
async def test_it_ends(dead_end: DeadEnd) -> None:
    with dead_end(PLACES) as port:
        pass
    for place in PLACES:
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(place, port)


def test_a_port_has_to_be_free_at_all_addresses() -> None:
    with pytest.raises(OSError, match="no port is free"), silent(["127.0.0.1", "127.0.0.1"]):
        pass
