"""Watches an established tunnel: keep-alives, probes after failures, status reports (client spec §1.13)."""

import asyncio
from typing import Final

from headrace.base.errors import HeadraceError
from headrace.base.rng import Rng
from headrace.client import api
from headrace.client.tunnel import Tunnel

__all__ = ["TunnelMonitor"]

#: Seconds between looks at whether a keep-alive is due, drawn anew each time; and when one is.
KEEPALIVE_PERIOD: Final = (60, 120)
IDLE: Final = 10.0
KEEPALIVE_TIMEOUT: Final = 30.0
PROBE_TIMEOUT: Final = 5.0
MAX_KEEPALIVE: Final = 256
#: Seconds between status reports, drawn anew each time.
STATUS_PERIOD: Final = (300, 600)


class TunnelMonitor:
    """Decides that a tunnel is dead when nothing else does.

    `periodic` keep-alives and status reports (`reporting`) can be left out; probes after failures cannot.
    """

    def __init__(self, tunnel: Tunnel, rng: Rng, *, periodic: bool = True, reporting: bool = True) -> None:
        self._tunnel = tunnel
        self._rng = rng
        self._periodic = periodic
        self._reporting = reporting
        self._reported = 0
        self._failed = asyncio.Event()

    def forward_failed(self) -> None:
        """A port forward or a request failed: the far side's fault, or a sign that the tunnel is gone."""
        self._failed.set()

    async def run(self) -> None:
        """Watch until the tunnel ends."""
        jobs = [self._probe_on_failure()]
        if self._reporting:
            jobs.append(self._report())
        if self._periodic:
            jobs.append(self._keep_alive())
        tasks = [asyncio.create_task(job) for job in jobs]
        try:
            await asyncio.shield(self._tunnel.ended)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def report(self, timeout: float = 5.0) -> None:
        """Send a status report if there is something to say; what is not taken is said next time."""
        sent, received = self._tunnel.bytes_transferred
        total = sent + received
        if total == self._reported:
            return
        tunnel = self._tunnel
        payload = api.status_payload(
            tunnel.identity, tunnel.dial_parameters, self._rng, {"(OTHER)": total - self._reported}
        )
        try:
            if await tunnel.request(b"psiphon-status", payload, timeout) is not None:
                self._reported = total
        except HeadraceError:
            self.forward_failed()

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(self._rng.between(*KEEPALIVE_PERIOD))
            if self._tunnel.silent_for >= IDLE:
                await self._probe(KEEPALIVE_TIMEOUT)

    async def _probe_on_failure(self) -> None:
        while True:
            await self._failed.wait()
            self._failed.clear()
            if self._tunnel.silent_for >= IDLE:
                await self._probe(PROBE_TIMEOUT)

    async def _probe(self, timeout: float) -> None:
        payload = self._rng.bytes(self._rng.between(0, MAX_KEEPALIVE))
        try:
            await self._tunnel.request(b"keepalive@openssh.com", payload, timeout)
        except HeadraceError:
            self._tunnel.abort()

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(self._rng.between(*STATUS_PERIOD))
            await self.report()
