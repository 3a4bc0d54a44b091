"""How late the event loop is: a timer that should fire each second notes when it does."""

import asyncio
from collections import deque
from typing import Final

__all__ = ["LoopLag"]

#: Seconds between two looks, and how many of them are remembered.
PERIOD: Final = 1.0
KEPT: Final = 60


class LoopLag:
    """`watch` runs as long as the process does."""

    def __init__(self) -> None:
        self._delays: deque[float] = deque(maxlen=KEPT)

    @property
    def longest(self) -> float:
        """The longest delay within the last minute, in seconds."""
        return max(self._delays, default=0.0)

    async def watch(self) -> None:
        """Look each second, without an end."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + PERIOD
            await asyncio.sleep(PERIOD)
            self._delays.append(loop.time() - due)
