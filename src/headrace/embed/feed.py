"""What happens, to iterate over: for one reader, who may be slow."""

import asyncio
from collections import deque
from typing import Generic, TypeVar

__all__ = ["Feed"]

T = TypeVar("T")


class Feed(Generic[T]):
    """An asynchronous iterator over what is pushed, until it ends.

    `most` items wait for the reader; before there are more the oldest is dropped.
    """

    def __init__(self, most: int) -> None:
        self._items: deque[T] = deque(maxlen=most)
        self._stirred = asyncio.Event()
        self._ended = False

    def push(self, item: T) -> None:
        """Have the reader get this, too."""
        self._items.append(item)
        self._stirred.set()

    def end(self) -> None:
        """End the iteration after what is waiting."""
        self._ended = True
        self._stirred.set()

    def __aiter__(self) -> "Feed[T]":
        return self

    async def __anext__(self) -> T:
        while not self._items:
            if self._ended:
                raise StopAsyncIteration
            self._stirred.clear()
            await self._stirred.wait()
        return self._items.popleft()
