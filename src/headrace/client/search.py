"""Looking for tunnels: one establishment after the other, each with what was known when it began.

Whoever looks is told of tunnels through `keep`, one by one as they become ready.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence

from headrace.client import api
from headrace.client.establish import Establisher
from headrace.client.establishment_reports import EstablishmentReports
from headrace.client.shared import Shared
from headrace.client.tunnel import Tunnel
from headrace.codec.go_duration import duration_text
from headrace.codec.handshake_response import HandshakeResponse
from headrace.establishment.candidates import Candidates
from headrace.establishment.dial_parameters import DialParameters
from headrace.establishment.journal import Journal
from headrace.establishment.scheduler import Scheduler
from headrace.establishment.settings import EstablishmentSettings

__all__ = ["Search"]


class Search:
    """`keep` gets each tunnel with its handshake's answer, and the seconds that it was looked for.

    `answer` replies to servers' requests, `new_round` and `want_servers` are what a `Listener` hears.
    """

    def __init__(
        self,
        shared: Shared,
        journal: Journal,
        keep: Callable[[Tunnel, HandshakeResponse, float], None],
        answer: Callable[[bytes, memoryview], bytes | None],
        *,
        new_round: Callable[[int], None],
        want_servers: Callable[[], None],
    ) -> None:
        self.settings = EstablishmentSettings.from_config(shared.config)
        self._shared = shared
        self._keep = keep
        self._answer = answer
        self._reports = EstablishmentReports(
            shared, journal, workers=self.settings.workers, new_round=new_round, want_servers=want_servers
        )
        self._establisher: Establisher | None = None
        self._task: asyncio.Task[bool] | None = None
        self._anew = False
        self._begun = 0.0
        self._loop = asyncio.get_running_loop()

    async def find(self, active: Callable[[], Collection[str]], *, favourite: bool = True) -> bool:
        """Look for tunnels until there are enough besides those to the `active` addresses.

        Return False if there was no first one in time: once there was a tunnel, there is no limit any more.
        Without `favourite` the server used last has no head start, until we are in another network.
        """
        while True:
            self._task = self._loop.create_task(self._find_once(active(), favourite))
            try:
                return await self._task
            except asyncio.CancelledError:
                me = asyncio.current_task()
                if not self._anew or (me is not None and me.cancelling()):
                    raise
                favourite = True
            finally:
                self._task.cancel()
                await asyncio.gather(self._task, return_exceptions=True)
                self._task, self._anew = None, False

    def begin_anew(self) -> None:
        """Forget what is under way: it began on another network."""
        if self._task is not None and not self._task.done():
            self._anew = True
            self._task.cancel()

    def arrived(self, addresses: Sequence[str]) -> None:
        """The servers at these addresses were not known before: they are tried next."""
        if self._establisher is not None:
            self._establisher.arrived(addresses)

    def lost(self, address: str) -> None:
        """The tunnel to this address has ended: if others are being looked for, one more is."""
        if self._establisher is not None:
            self._establisher.lost(address)

    async def _find_once(self, active: Collection[str], favourite: bool) -> bool:
        shared, settings = self._shared, self.settings
        known = shared.servers.count(shared.config.egress_region)
        wanted = min(settings.pool_size, max(1, known)) - len(active)
        if wanted <= 0:
            return True
        config, network_type = shared.config, shared.surroundings.network_type
        candidates = Candidates(
            shared.servers,
            shared.dial_settings,
            shared.rng,
            shared.replay,
            skip=lambda reason: shared.notices.emit("SkipServerEntry", reason=reason),
        )
        scheduler = Scheduler(settings, candidates, shared.rng, network_up=shared.network_up)
        establisher = self._establisher = Establisher(
            scheduler, self._make, self._ready, self._reports, handshake=not config.disable_api
        )
        shared.notices.emit("NetworkID", ID=network_type)
        first = not self._reports.established
        self._reports.begin(candidates, network_type)
        self._begun = self._loop.time()
        found = False
        try:
            found = await establisher.run(
                wanted=wanted,
                active=active,
                give_up=settings.give_up if first else 0.0,
                favourite=favourite,
            )
        finally:
            self._establisher = None
            self._reports.finish(connected=found)
        if not found:
            shared.notices.emit("EstablishTunnelTimeout", timeout=duration_text(settings.give_up))
        return found

    def _make(self, attempt: DialParameters) -> Tunnel:
        shared = self._shared

        def circumstances(seconds: float) -> api.Circumstances:
            return api.Circumstances(
                network_type=shared.surroundings.network_type,
                established_tunnels=self._reports.established,
                dial_duration=seconds,
            )

        return Tunnel(
            attempt,
            shared.identity,
            shared.rng,
            self._answer,
            shared.proxy,
            device=shared.config.bind_interface,
            latency=shared.config.network_latency_multiplier or 1.0,
            circumstances=circumstances,
        )

    def _ready(self, tunnel: Tunnel, response: HandshakeResponse) -> None:
        self._reports.kept(tunnel)
        self._keep(tunnel, response, self._loop.time() - self._begun)
