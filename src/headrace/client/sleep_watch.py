"""Notices that the machine has slept: one clock went on meanwhile, the other did not."""

import asyncio
from collections.abc import Callable
from typing import Final

from headrace.base.clock import Clock

__all__ = ["SleepWatch"]

#: Seconds between looks, and the least sleep that is worth a word.
PERIOD: Final = 1.0
LEAST: Final = 1.0


class SleepWatch:
    """Calls `resumed` with the seconds that the machine slept for, soon after it woke."""

    def __init__(self, clock: Clock, resumed: Callable[[float], None]) -> None:
        self._clock = clock
        self._resumed = resumed

    async def run(self) -> None:
        """Watch until cancelled."""
        before = self._asleep()
        while True:
            await asyncio.sleep(PERIOD)
            asleep = self._asleep()
            if asleep - before >= LEAST:
                self._resumed(asleep - before)
                before = asleep

    def _asleep(self) -> float:
        """Return the seconds slept since the machine started."""
        return self._clock.boottime() - self._clock.monotonic()
