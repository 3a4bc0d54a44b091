"""Telling where traffic can leave and how many servers may be tried: a look at all, in the background.

Limits of protocols and ports differ from entry to entry, so each has to be looked at; it is done a slice at a
time, so that nobody's traffic waits. Without limits the store knows the answer at once, however many there
are.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from headrace.client.notices import Notices
from headrace.client.servers import Servers
from headrace.codec.go_duration import duration_text
from headrace.documents.client_config import ClientConfig
from headrace.establishment.dial_settings import DialSettings

__all__ = ["RegionReporter", "Scan"]

#: Entries looked at before others have their turn on the loop: a few milliseconds of work.
SLICE: Final = 50


@dataclass(slots=True)
class Scan:
    """What a look at all servers found."""

    initial_count: int = 0  #: servers for the first attempts, if those have a limit of their own
    count: int = 0  #: servers that may be tried, in the region that is asked for
    regions: list[str] = field(default_factory=list)  #: where traffic can leave, sorted; any region counts


class RegionReporter:
    """Emits AvailableEgressRegions and CandidateServers, once by `scan` or whenever `want` asks `run` to."""

    def __init__(
        self, config: ClientConfig, settings: DialSettings, servers: Servers, notices: Notices
    ) -> None:
        self._config = config
        self._settings = settings
        self._servers = servers
        self._notices = notices
        self._wanted = asyncio.Event()
        self._warned = False

    def begin(self) -> None:
        """An establishment begins: scan, and say once more if nobody is where traffic is to leave."""
        self._warned = False
        self.want()

    def want(self) -> None:
        """Have `run` scan; if it is just doing so, then once more when it is done."""
        self._wanted.set()

    async def run(self) -> None:
        """Scan whenever it is wanted, until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self.scan()

    async def scan(self) -> Scan:
        """Look at all servers and tell what was found."""
        begun = asyncio.get_running_loop().time()
        if self._settings.limited:
            scan = await self._look_at_all()
        else:
            region = self._settings.region
            scan = Scan(count=self._servers.count(region), regions=self._servers.regions())
        self._report(scan, asyncio.get_running_loop().time() - begun)
        return scan

    async def _look_at_all(self) -> Scan:
        settings = self._settings
        scan, regions = Scan(), set()
        for number, entry in enumerate(self._servers.everybody(), 1):
            if number % SLICE == 0:
                await asyncio.sleep(0)
            if settings.hides_from_proxy(entry):
                continue
            initial = settings.initial_limit and bool(settings.protocols(entry, initial=True))
            general = bool(settings.protocols(entry))
            if entry.region and (initial if settings.initial_limit else general):
                regions.add(entry.region)
            if not settings.region or entry.region == settings.region:
                scan.initial_count += initial
                scan.count += general
        scan.regions = sorted(regions)
        return scan

    def _report(self, scan: Scan, seconds: float) -> None:
        config, settings = self._config, self._settings
        self._notices.emit(
            "CandidateServers",
            region=settings.region,
            initialLimitTunnelProtocols=list(settings.initial_limit_protocols),
            initialLimitTunnelProtocolsCandidateCount=settings.initial_limit_candidates,
            limitTunnelProtocols=list(settings.limit_protocols),
            limitTunnelDialPortNumbers=dict(config.limit_tunnel_dial_port_numbers),
            replayCandidateCount=settings.replay_candidates,
            initialCount=scan.initial_count,
            count=scan.count,
            duration=duration_text(seconds),
        )
        self._notices.emit("AvailableEgressRegions", regions=scan.regions)
        if settings.region and settings.region not in scan.regions and not self._warned:
            self._warned = True
            there = f"there are some in {', '.join(scan.regions)}" if scan.regions else "nor in any other"
            self._notices.warning(
                f"no known server's traffic leaves in {settings.region}, as EgressRegion asks for; {there}. "
                "The client keeps looking for one; choose another region, or none, to connect sooner"
            )
