"""Doing many things, a few at a time."""

import asyncio
from collections.abc import Awaitable, Callable

__all__ = ["at_once"]


async def at_once(count: int, most: int, work: Callable[[], Awaitable[None]]) -> None:
    """Do `work` so many times, at most `most` at a time. Raises what the first to fail raises."""
    room = asyncio.Semaphore(most)

    async def one() -> None:
        async with room:
            await work()

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(one())
    except ExceptionGroup as several:
        raise several.exceptions[0] from None
