"""Watches an established tunnel: counts what passes, and finds out when it is dead (client spec §1.13).

    a second passed ──► count                                silence ──► keep-alive ─┐
    a port forward or a request failed, in silence ──► probe ────────────────────────┼─► no answer: the end
    the machine slept ──► probe, or the end if it slept long ────────────────────────┘
    the network is another ──► the end

Only what is *received* is a sign of life: what we send may go nowhere.
"""

import asyncio
import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from headrace.base.errors import HeadraceError
from headrace.base.rng import Rng
from headrace.client.operate_settings import OperateSettings
from headrace.client.tunnel import Tunnel

__all__ = ["End", "Reason", "TunnelMonitor"]

#: Seconds after which a request would end by itself: we have ended it by then.
_LONG: Final = 86_400.0


class Reason(enum.Enum):
    """Why a tunnel is of no use any more."""

    LOST = "the connection was lost"
    KEEPALIVE_FAILED = "the server does not answer"
    NETWORK_CHANGED = "the network has changed"
    RESUMED_TOO_LATE = "the machine slept too long"


@dataclass(frozen=True, slots=True)
class End:
    """How a tunnel ended; `error` is what the connection ended with, if it told."""

    reason: Reason
    error: Exception | None = None
    counts: bool = False  #: the server or the path to it failed, not our own network: worth a statistic
    forget: bool = False  #: what worked with this server is not to be tried first any more

    def __str__(self) -> str:
        return f"{self.reason.value}: {self.error}" if self.error else self.reason.value


class TunnelMonitor:
    """The watch over one tunnel. Timeouts are `multiplier` times as long as the settings say.

    `online` says whether there is a network at all: waiting for an answer without one counts for nothing.
    `moved` hears each second how many bytes went up and down since the last time, if any; `totals` all of
    them, now and then and at the end; `proven` once that the tunnel has proved itself.
    """

    def __init__(
        self,
        tunnel: Tunnel,
        rng: Rng,
        settings: OperateSettings | None = None,
        *,
        multiplier: float = 1.0,
        online: Callable[[], bool] = lambda: True,
        moved: Callable[[int, int], None] = lambda sent, received: None,
        totals: Callable[[int, int], None] = lambda sent, received: None,
        proven: Callable[[], None] = lambda: None,
    ) -> None:
        self._tunnel = tunnel
        self._rng = rng
        self._settings = settings or OperateSettings()
        self._multiplier = multiplier
        self._online = online
        self._moved = moved
        self._totals = totals
        self._proven = proven
        self._loop = asyncio.get_running_loop()
        self._begun = self._loop.time()
        self._counted = (0, 0)
        self._due = 0.0  # loop time of the next keep-alive
        self._failed = asyncio.Event()
        self._resumed = asyncio.Event()
        self._slept, self._woke = 0.0, 0.0  # seconds, and loop time
        self._end: asyncio.Future[End] = self._loop.create_future()

    async def run(self) -> End:
        """Watch until the tunnel is of no use; abort it if it does not know yet. Return why."""
        jobs = [self._count(), self._probe_on_failure(), self._probe_on_resume()]
        if self._settings.periodic:
            jobs.append(self._keep_alive())
        tasks = [asyncio.create_task(job) for job in jobs]
        signs: list[asyncio.Future[Any]] = [self._tunnel.ended, self._end, *tasks]
        try:
            await asyncio.wait(signs, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()  # none ends but by a mistake of ours
            end = self._end.result() if self._end.done() else End(Reason.LOST, self._tunnel.ended.result())
            self._tunnel.abort()
            return end
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.look()
            self._totals(*self._counted)

    # ---- what others tell us --------------------------------------------------------------------------

    def forward_failed(self) -> None:
        """A port forward or a request failed: the far side's fault, or a sign that the tunnel is gone."""
        self._failed.set()

    def resumed(self, slept: float) -> None:
        """The machine slept for so many seconds, which clocks of intervals have not seen."""
        heard_since = self._tunnel.silent_for < self._loop.time() - self._woke
        self._slept = slept + (0.0 if heard_since else self._slept)
        self._woke = self._loop.time()
        if self._idle >= self._settings.resume_limit:
            self._finish(End(Reason.RESUMED_TOO_LATE))
        elif self._idle >= self._settings.resume_idle:
            self._resumed.set()

    def network_changed(self) -> None:
        """What the tunnel's connection began at is not our network any more."""
        self._finish(End(Reason.NETWORK_CHANGED))

    # ---- counting -------------------------------------------------------------------------------------

    async def _count(self) -> None:
        settings = self._settings
        told = self._begun
        proven = False
        while True:
            await asyncio.sleep(settings.tick)
            self.look()
            now = self._loop.time()
            sent, received = self._counted
            enough = sent >= settings.proven_sent and received >= settings.proven_received
            if not proven and enough and now - self._begun >= settings.proven_after:
                proven = True
                self._proven()
            if now - told >= settings.totals_period:
                told = now
                self._totals(sent, received)

    def look(self) -> None:
        """Count what has passed until now; done each second and at the end, too."""
        before, self._counted = self._counted, self._tunnel.bytes_transferred
        if before != self._counted:
            self._moved(self._counted[0] - before[0], self._counted[1] - before[1])

    # ---- asking ---------------------------------------------------------------------------------------

    async def _keep_alive(self) -> None:
        self._put_off()
        while True:
            await asyncio.sleep(self._due - self._loop.time())
            if self._loop.time() < self._due:
                continue  # it was put off meanwhile
            self._put_off()
            if self._idle >= self._settings.keepalive_idle:
                await self._ask(self._settings.keepalive_timeout)

    async def _probe_on_failure(self) -> None:
        while True:
            await self._failed.wait()
            self._failed.clear()
            if self._idle >= self._settings.probe_idle:
                self._put_off()
                await self._ask(self._settings.probe_timeout)

    async def _probe_on_resume(self) -> None:
        while True:
            await self._resumed.wait()
            self._resumed.clear()
            self._put_off()
            await self._ask(self._settings.resume_timeout)

    def _put_off(self) -> None:
        """Draw anew when the next keep-alive is due."""
        least, most = (round(seconds * 1000) for seconds in self._settings.keepalive_period)
        self._due = self._loop.time() + self._rng.between(least, most) / 1000

    async def _ask(self, timeout: float) -> None:
        """Have the server say something; without an answer in time the tunnel has failed."""
        payload = self._rng.bytes(self._rng.between(0, self._settings.max_padding))
        request = asyncio.create_task(self._tunnel.request(b"keepalive@openssh.com", payload, _LONG))
        left, always_online = timeout * self._multiplier, True
        try:
            while left > 0 and not request.done():
                begun = self._loop.time()
                await asyncio.wait((request,), timeout=min(left, self._settings.network_poll))
                if self._online():
                    left -= self._loop.time() - begun
                else:
                    always_online = False
            if request.done():
                request.result()  # true or false, an answer is an answer
                return
        except HeadraceError:
            pass
        finally:
            request.cancel()
            await asyncio.gather(request, return_exceptions=True)
        forget = self._rng.chance(self._settings.reset_probability)
        self._finish(End(Reason.KEEPALIVE_FAILED, counts=always_online, forget=forget))

    @property
    def _idle(self) -> float:
        """Seconds since the server was last heard, asleep or awake."""
        silent = self._tunnel.silent_for
        return silent + self._slept if silent >= self._loop.time() - self._woke else silent

    def _finish(self, end: End) -> None:
        if not self._end.done() and not self._tunnel.ended.done():
            self._end.set_result(end)
