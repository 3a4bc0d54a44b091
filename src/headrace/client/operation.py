"""The tunnels in use: watched, reported, taken turns with, and done without once they have failed."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

from headrace.client.failed_tunnels import Progress
from headrace.client.monitor import End, Reason, TunnelMonitor
from headrace.client.operate_settings import OperateSettings
from headrace.client.shared import Shared
from headrace.client.status_reporter import LAST_WORDS, StatusReporter
from headrace.client.tunnel import Tunnel
from headrace.client.tunnel_pool import TunnelPool

__all__ = ["Operation"]

#: A tunnel that lasted fewer seconds was of no use: as many pass before the next, and others have a chance.
SHORT_LIVED: Final = 2.0


class Operation:
    """`lost` hears of each tunnel that is not in the pool any more, and how many are left."""

    def __init__(self, shared: Shared, lost: Callable[[int], None]) -> None:
        self.pool = TunnelPool()
        self.favourite = True  #: whether the server used last deserves a head start: it has not gone silent
        self.pausing = 0  #: tunnels that ended so soon that others in their place have to wait
        self._shared = shared
        self._lost = lost
        self._settings = OperateSettings.from_config(shared.config)
        self._status_reporter = StatusReporter(
            shared.identity, shared.rng, shared.notices, shared.clock, shared.store
        )
        self._monitors: dict[Tunnel, TunnelMonitor] = {}
        self._reporting: Tunnel | None = None
        self._reports = asyncio.Lock()  # held for the one tunnel that they go over: the oldest comes first
        self._loop = asyncio.get_running_loop()

    async def run(self, tunnel: Tunnel, took: float) -> None:
        """Watch over a tunnel of the pool, which took so many seconds to find, until it is of no use."""
        shared, attempt, begun = self._shared, tunnel.dial_parameters, self._loop.time()
        identity = attempt.diagnostic_id
        monitor = self._monitors[tunnel] = TunnelMonitor(
            tunnel,
            shared.rng,
            self._settings,
            multiplier=shared.config.network_latency_multiplier or 1.0,
            online=partial(shared.network_up, attempt.host),
            moved=partial(self._moved, identity),
            totals=partial(self._told_totals, identity),
            proven=partial(shared.replay.succeeded, attempt),
        )
        try:
            async with asyncio.TaskGroup() as group:
                reports = group.create_task(self._report(tunnel, took, monitor.forward_failed))
                end = await monitor.run()
                reports.cancel()
            self._failed(tunnel, end)
        finally:
            del self._monitors[tunnel]
            self._remove(tunnel)
        if end.reason is Reason.LOST and self._loop.time() - begun < SHORT_LIVED:
            shared.servers.forget_first(attempt.entry.ip_address)
            self.pausing += 1
            await asyncio.sleep(SHORT_LIVED)
            self.pausing -= 1

    async def say_goodbye(self) -> None:
        """Say over a tunnel what its server should know, in the moment that is left."""
        tunnel = self._reporting
        if tunnel is not None:
            self._monitors[tunnel].look()
            until = self._loop.time() + LAST_WORDS
            await self._status_reporter.last_words(tunnel)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await self._shared.connected_reporter.settled()

    def close(self) -> None:
        """Close tunnels that were kept in the moment of the end, before anybody watched over them."""
        for tunnel in self.pool:
            self._remove(tunnel)

    def _remove(self, tunnel: Tunnel) -> None:
        self.pool.remove(tunnel)
        self._lost(len(self.pool))
        self._shared.notices.emit("Tunnels", count=len(self.pool))
        tunnel.close()

    async def _report(self, tunnel: Tunnel, took: float, failed: Callable[[], None]) -> None:
        """Report over this tunnel once no older one is there to do it, until it ends."""
        if self._shared.config.disable_api:
            return
        async with self._reports:
            self._reporting = tunnel
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._shared.connected_reporter.run(tunnel, took, failed))
                    group.create_task(self._status_reporter.run(tunnel, failed))
            finally:
                self._reporting = None

    # ---- what happens to all of them ------------------------------------------------------------------

    def network_changed(self) -> None:
        """They began on a network that we are not in any more."""
        for monitor in tuple(self._monitors.values()):
            monitor.network_changed()

    def resumed(self, slept: float) -> None:
        """The machine slept for so many seconds."""
        for monitor in tuple(self._monitors.values()):
            monitor.resumed(slept)

    def forward_failed(self) -> None:
        """A port forward failed, whichever tunnel it was: one that was heard just now is not asked."""
        for monitor in tuple(self._monitors.values()):
            monitor.forward_failed()

    # ---- what a monitor tells -------------------------------------------------------------------------

    def _failed(self, tunnel: Tunnel, end: End) -> None:
        shared, attempt = self._shared, tunnel.dial_parameters
        self.favourite = end.reason is not Reason.KEEPALIVE_FAILED
        shared.notices.info(f"{attempt.diagnostic_id} over {attempt.protocol}: {end}")
        if end.counts:
            sent, received = tunnel.bytes_transferred
            shared.failed_tunnels.record(attempt, end, Progress(sent=sent, received=received))
        if end.forget:
            shared.replay.forget(attempt.entry.ip_address)
            shared.servers.forget_first(attempt.entry.ip_address)

    def _moved(self, identity: str, sent: int, received: int) -> None:
        if not self._shared.config.disable_api:
            self._status_reporter.moved(sent, received)
        self._shared.notices.emit("BytesTransferred", diagnosticID=identity, sent=sent, received=received)

    def _told_totals(self, identity: str, sent: int, received: int) -> None:
        self._shared.notices.emit(
            "TotalBytesTransferred", diagnosticID=identity, sent=sent, received=received
        )
