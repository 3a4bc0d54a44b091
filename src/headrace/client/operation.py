"""The tunnels in use: watched, reported, taken turns with, and done without once they have failed."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from headrace.client.failed_tunnels import Progress
from headrace.client.monitor import End, TunnelMonitor
from headrace.client.operate_settings import OperateSettings
from headrace.client.shared import Shared
from headrace.client.status_reporter import StatusReporter
from headrace.client.tunnel import Tunnel
from headrace.client.tunnel_pool import TunnelPool

__all__ = ["Operation"]

#: A tunnel that lasted fewer seconds was of no use: as many pass before the next, and others have a chance.
SHORT_LIVED: Final = 2.0


class Operation:
    """`lost` hears of each tunnel that is not in the pool any more, and how many are left."""

    def __init__(self, shared: Shared, lost: Callable[[int], None]) -> None:
        self.pool = TunnelPool()
        self._shared = shared
        self._lost = lost
        self._settings = OperateSettings.from_config(shared.config)
        self._status_reporter = StatusReporter(
            shared.identity, shared.rng, shared.notices, shared.clock, shared.store
        )
        self._monitors: dict[Tunnel, TunnelMonitor] = {}
        self._reporting: Tunnel | None = None  # reports go over one tunnel, however many there are
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
                if self._reporting is None and not shared.config.disable_api:
                    self._reporting = tunnel
                    failed = monitor.forward_failed
                    group.create_task(shared.connected_reporter.run(tunnel, took, failed))
                    group.create_task(self._status_reporter.run(tunnel, failed))
                self._failed(tunnel, await monitor.run())
        finally:
            del self._monitors[tunnel]
            self.pool.remove(tunnel)
            if self._reporting is tunnel:
                self._reporting = None
            self._lost(len(self.pool))
            shared.notices.emit("Tunnels", count=len(self.pool))
            tunnel.close()
        if self._loop.time() - begun < SHORT_LIVED:  # it is not made anew at once, and others have a chance
            shared.servers.forget_first(attempt.entry.ip_address)
            await asyncio.sleep(SHORT_LIVED)

    async def say_goodbye(self) -> None:
        """Say over a tunnel what its server should know, in the moment that is left."""
        tunnel = self._reporting
        if tunnel is not None and tunnel in self._monitors:
            self._monitors[tunnel].look()
            await self._status_reporter.last_words(tunnel)

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
