"""When to fetch: a loop that sleeps until more servers are wanted, then tries until it has succeeded.

asleep ──► wanted ──► attempt ──► fetched: not again for a while ──► asleep
   ▲                     ▲  └─ failed: a pause, the next attempt
   └─ fetched lately     └─────────┘
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from headrace.base.errors import HeadraceError
from headrace.base.rng import Rng

__all__ = ["Fetcher"]

#: Seconds for which what was fetched counts as fresh, and between attempts (client spec §1.2).
STALE_PERIOD: Final = 6 * 3600.0
RETRY_PERIOD: Final = 30.0
#: Pauses vary by this share either way, so that clients do not return in step.
JITTER: Final = 0.1


class Fetcher:
    """Calls `fetch` with the number of the attempt, from 0; `failed` hears what went wrong in an attempt."""

    def __init__(
        self,
        fetch: Callable[[int], Awaitable[None]],
        failed: Callable[[HeadraceError], None],
        rng: Rng,
        *,
        stale_period: float = STALE_PERIOD,
        retry_period: float = RETRY_PERIOD,
    ) -> None:
        self._fetch = fetch
        self._failed = failed
        self._rng = rng
        self._stale_period = stale_period
        self._retry_period = retry_period
        self._wanted = asyncio.Event()
        self._fetched: float | None = None  # loop time of the last success
        self._reasons = 0  # how often there was a reason to fetch again, however fresh all is

    def want(self, *, anew: bool = False) -> None:
        """Ask for a fetch; `anew` also when the last one was not long ago. Never blocks."""
        self._reasons += anew
        self._wanted.set()

    async def run(self) -> None:
        """Fetch whenever asked to, until cancelled."""
        loop = asyncio.get_running_loop()
        served = 0
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            fresh = self._fetched is not None and loop.time() < self._fetched + self._stale_period
            if fresh and served == self._reasons:
                continue
            served = self._reasons
            await self._try_until_done()
            self._fetched = loop.time()
            if served == self._reasons:  # else the reason came too late for what was just fetched
                self._wanted.clear()

    async def _try_until_done(self) -> None:
        attempt = 0
        while True:
            try:
                await self._fetch(attempt)
            except HeadraceError as error:
                self._failed(error)
            except OSError as error:  # of the files that downloads are kept in
                self._failed(HeadraceError(f"a file cannot be used: {error.strerror}"))
            else:
                return
            attempt += 1
            share = self._rng.between(-1000, 1000) / 1000 * JITTER
            await asyncio.sleep(self._retry_period * (1 + share))
