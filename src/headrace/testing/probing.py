"""Sends a censor's probes: connects where a suspicious connection went, says something, and watches."""

import asyncio
from typing import cast

from headrace.base.errors import NetworkError
from headrace.net.dial import reset
from headrace.testing.censor_relay import CensorClock, Connect
from headrace.testing.censorship import Probe, Probed

__all__ = ["Prober"]

#: Bytes of an answer that are kept.
_KEPT = 4096


class Prober:
    """Probes in the background until `stop`."""

    def __init__(self, clock: CensorClock) -> None:
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, probe: Probe, connect: Connect) -> None:
        """Send a probe when its time has come, and tell its measure what came of it."""
        task = asyncio.get_running_loop().create_task(self._probe(probe, connect))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self) -> None:
        """Wait until every probe sent so far has been answered, or given up."""
        await asyncio.gather(*self._tasks)

    async def stop(self) -> None:
        """Give up the probes that are out."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _probe(self, probe: Probe, connect: Connect) -> None:
        await asyncio.sleep(probe.delay)
        probe.answered(await _ask(probe, connect), self._clock.now())


async def _ask(probe: Probe, connect: Connect) -> Probed:
    stranger = _Stranger(probe.payload)
    try:
        try:
            async with asyncio.timeout(probe.patience):
                await connect(stranger)
                await stranger.ended.wait()
        except TimeoutError:
            pass
        except (OSError, NetworkError):
            return Probed(connected=False)
        return stranger.result()
    finally:
        stranger.leave()


class _Stranger(asyncio.Protocol):
    """Says its piece once and notes what it hears."""

    def __init__(self, payload: bytes) -> None:
        self.ended = asyncio.Event()
        self._payload = payload
        self._transport: asyncio.Transport | None = None
        self._begun: float | None = None
        self._heard: float | None = None
        self._answer = bytearray()
        self._ending = ""
        self._time = asyncio.get_running_loop().time

    def leave(self) -> None:
        if self._transport is not None and not self.ended.is_set():
            reset(self._transport)

    def result(self) -> Probed:
        begun = self._begun
        if begun is None:
            return Probed(connected=False)
        heard = self._time() if self._heard is None else self._heard
        return Probed(True, bytes(self._answer), self._ending, heard - begun)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._begun = self._time()
        self._transport.write(self._payload)

    def data_received(self, data: bytes) -> None:
        if self._heard is None:
            self._heard = self._time()
        self._answer += data[: _KEPT - len(self._answer)]

    def eof_received(self) -> None:
        self._ending = "closed"

    def connection_lost(self, exc: Exception | None) -> None:
        self._ending = self._ending or ("reset" if exc else "closed")
        if self._heard is None:
            self._heard = self._time()
        self.ended.set()
