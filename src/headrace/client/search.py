"""Looking for a tunnel: rounds over the servers that are known, and more of them fetched if it takes long.

round ──► a race over its candidates ──► won: the tunnel
  ▲           ├─ took as long as a round may, or nobody was left: a pause
  └───────────┘     (whoever is learned of meanwhile is tried next)
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from headrace.base.errors import HeadraceError
from headrace.base.rng import Rng
from headrace.client.candidates import Candidates
from headrace.client.establish import GRACE, WORKERS, Establishment, Outcome
from headrace.client.notices import Notices
from headrace.client.servers import Servers
from headrace.client.tunnel import Tunnel
from headrace.codec.go_duration import duration_text
from headrace.documents.client_config import ClientConfig
from headrace.establishment.dial_parameters import DialParameters
from headrace.net.upstream_proxy import UpstreamProxyError

__all__ = ["Search", "describe"]

#: Seconds after which a run that has had no tunnel yet gives up, unless configured.
ESTABLISH_TIMEOUT: Final = 300.0
#: Seconds after which it takes long, unless configured: a round is cut short, and more servers are wanted.
WORK_TIME: Final = 60.0
#: Seconds before everything is tried again, give or take a tenth.
PAUSE: Final = 2.0
#: Seconds before failures of the upstream proxy are told: for certain, and after many attempts. A proxy that
#: allows only some ports makes single failures normal (client spec §3).
PROXY_TROUBLE, PROXY_TROUBLE_OF_MANY = 30.0, 10.0


class Search:
    """Finds a tunnel among `servers`, made by `make`. `want_servers` is called when more are needed.

    `insist` is called when a round had nobody to try; it raises if that will not change.
    """

    def __init__(
        self,
        config: ClientConfig,
        servers: Servers,
        notices: Notices,
        rng: Rng,
        make: Callable[[DialParameters], Tunnel],
        want_servers: Callable[[], None],
        insist: Callable[[], None],
    ) -> None:
        self._config = config
        self._servers = servers
        self._notices = notices
        self._rng = rng
        self._make = make
        self._want_servers = want_servers
        self._insist = insist
        self._prefixes = config.prefixes()
        self._candidates: Candidates | None = None  # of the round that is on, or that was the last
        limit, work_time = config.establish_tunnel_timeout_seconds, config.establish_tunnel_work_time_seconds
        self._patience = ESTABLISH_TIMEOUT if limit is None else float(limit)
        self._work_time = WORK_TIME if work_time is None else work_time
        self._workers = config.connection_worker_pool_size or WORKERS
        self._grace = config.establish_tunnel_server_affinity_grace_period_milliseconds
        self._begun = 0.0  # loop time when the search that is on began
        self._attempts = 0  # in this search

    async def find(self, *, head_start: bool = True) -> Outcome | None:
        """Return a tunnel that is ready for use, None if there was none in time.

        Only the first has a limit of time: once there was a tunnel, another is looked for until it is found.
        With `head_start` the server used last has one.
        """
        config = self._config
        self._begun, self._attempts = asyncio.get_running_loop().time(), 0
        race = Establishment(
            self._make,
            handshake=not config.disable_api,
            workers=self._workers,
            stagger=config.stagger_connection_workers_milliseconds / 1000,
            grace=GRACE if self._grace is None else self._grace / 1000,
            started=self._report_attempt,
            failed=self._report_failure,
        )
        impatience = asyncio.create_task(self._grow_impatient())
        try:
            async with asyncio.timeout(self._patience or None):
                favourite = self._servers.first(config.egress_region) if head_start else ""
                candidates = self._begin_round(favourite)
                while True:
                    outcome = await race.race(candidates)
                    if outcome is not None:
                        self._patience = 0.0
                        return outcome
                    if not candidates.taken:
                        self._insist()
                        self._want_servers()
                    if not await self._arrival(candidates):
                        candidates = self._begin_round()
        except TimeoutError:
            self._notices.emit("EstablishTunnelTimeout", timeout=duration_text(self._patience))
            return None
        finally:
            impatience.cancel()
            self._candidates = None

    def try_next(self, addresses: Sequence[str]) -> None:
        """Servers are known that were not known before: try them next, in no order that others share."""
        if self._candidates is not None:
            shuffled = self._rng.shuffled(addresses)
            self._candidates.add(self._servers.pick(shuffled, self._config.egress_region))

    def _begin_round(self, favourite: str = "") -> Candidates:
        config, region = self._config, self._config.egress_region
        first = self._servers.first(region)
        self._notices.emit("CandidateServers", count=self._servers.count(region), region=region)
        self._candidates = Candidates(
            self._servers.entries(self._rng, [first] if first else [], region),
            config.limit_tunnel_protocols,
            self._rng,
            lambda reason: self._notices.emit("SkipServerEntry", reason=reason),
            prefixes=self._prefixes,
            padding=config.padding,
            proxied=bool(config.upstream_proxy_url),
            until=asyncio.get_running_loop().time() + self._work_time,
            favourite=favourite,
        )
        return self._candidates

    async def _arrival(self, candidates: Candidates) -> bool:
        """Wait before trying all again; say whether there is somebody new to try instead."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PAUSE * (1 + self._rng.between(-100, 100) / 1000)):
                return await candidates.arrived.wait()
        return False

    async def _grow_impatient(self) -> None:
        while True:
            await asyncio.sleep(self._work_time)
            self._want_servers()

    def _report_attempt(self, attempt: DialParameters) -> None:
        self._attempts += 1
        self._notices.emit("ConnectingServer", None, **describe(attempt))

    def _report_failure(self, attempt: DialParameters, error: HeadraceError) -> None:
        self._notices.info(f"{attempt.diagnostic_id} over {attempt.protocol}: {error}")
        if isinstance(error, UpstreamProxyError):
            many = self._attempts >= 2 * self._workers
            lasting = asyncio.get_running_loop().time() - self._begun
            if lasting >= (PROXY_TROUBLE_OF_MANY if many else PROXY_TROUBLE):
                self._notices.emit("UpstreamProxyError", message=str(error))


def describe(attempt: DialParameters) -> dict[str, object]:
    """What notices say about an attempt; none of it tells where the server is."""
    return {
        "diagnosticID": attempt.diagnostic_id,
        "region": attempt.entry.region,
        "protocol": attempt.protocol,
        "candidateNumber": attempt.candidate_number,
    }
