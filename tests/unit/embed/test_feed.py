"""What happens, to iterate over: in order, bounded, and with an end."""

import asyncio

import pytest

from headrace.embed.feed import Feed


async def test_items_come_in_order_and_then_the_end() -> None:
    feed: Feed[int] = Feed(10)
    feed.push(1)
    feed.push(2)
    feed.end()
    assert [item async for item in feed] == [1, 2]


async def test_a_reader_waits_for_what_comes() -> None:
    feed: Feed[int] = Feed(10)
    waiting = asyncio.create_task(anext(feed))
    await asyncio.sleep(0)
    assert not waiting.done()
    feed.push(1)
    assert await waiting == 1
    waiting = asyncio.create_task(anext(feed))
    await asyncio.sleep(0)
    feed.end()
    with pytest.raises(StopAsyncIteration):
        await waiting


async def test_a_slow_reader_misses_the_oldest() -> None:
    feed: Feed[int] = Feed(3)
    for number in range(10):
        feed.push(number)
    feed.end()
    assert [item async for item in feed] == [7, 8, 9]


async def test_a_reader_that_was_cancelled_has_taken_nothing() -> None:
    feed: Feed[int] = Feed(3)
    waiting = asyncio.create_task(anext(feed))
    await asyncio.sleep(0)
    waiting.cancel()
    feed.push(1)
    await asyncio.wait((waiting,))
    assert await anext(feed) == 1
