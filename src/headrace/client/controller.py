"""The client as a whole: local proxies that stay up, and a tunnel behind them that is made anew when lost.

run ──► listen ──► establish ──► operate ──► (tunnel lost) ──► establish ...
                       └─ nothing in time: EstablishTunnelTimeout, and the run is over
"""

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import Final

from headrace.base.errors import HeadraceError, NetworkError
from headrace.base.rng import SYSTEM_RNG, Rng
from headrace.client import api
from headrace.client.dial_parameters import DialParameters
from headrace.client.establish import PAUSE, WORKERS, Establishment, Outcome, candidates
from headrace.client.local_connection import LocalConnection
from headrace.client.local_http import HttpConnection
from headrace.client.local_socks import SocksConnection
from headrace.client.monitor import TunnelMonitor
from headrace.client.notices import Notices
from headrace.client.server_requests import ServerRequests
from headrace.client.tunnel import Tunnel
from headrace.codec.go_duration import duration_text
from headrace.codec.handshake_response import HandshakeResponse
from headrace.documents.client_config import ClientConfig
from headrace.documents.server_entry import ServerEntry
from headrace.net.dial import listen
from headrace.net.interfaces import listening_address
from headrace.net.relay import Relay
from headrace.net.relay_pool import RelayPool
from headrace.net.upstream_proxy import UpstreamProxy
from headrace.ssh.channel import Channel, Endpoint
from headrace.ssh.forwarding import Destination

__all__ = ["Controller"]

#: Seconds after which a run without a tunnel gives up, unless configured.
ESTABLISH_TIMEOUT: Final = 300.0
#: Seconds between looks at port forwards that wait for nothing any more.
SWEEP: Final = 5.0
#: Seconds that a commanded shutdown may spend on last words.
LAST_WORDS: Final = 1.0


class Controller:
    """One run of the client. `run` returns when `stop` was called or no tunnel could be had in time."""

    def __init__(
        self,
        config: ClientConfig,
        entries: Sequence[ServerEntry],
        notices: Notices,
        rng: Rng = SYSTEM_RNG,
    ) -> None:
        self.config = config
        self.ports: dict[str, int] = {}  #: local proxies by name, once they listen
        self._entries = entries
        self._notices = notices
        self._rng = rng
        self._identity = api.Identity.from_config(config)
        self._prefixes = config.prefixes()
        self._proxy = UpstreamProxy.from_config(config)
        self._requests = ServerRequests(notices)
        self._tunnel: Tunnel | None = None
        self._monitor: TunnelMonitor | None = None
        self._stopping = asyncio.Event()
        self._affinity = ""
        self._last_connected = ""
        self._servers: list[asyncio.Server] = []
        self.connected = asyncio.Event()  #: set while there is a tunnel
        self.disconnected = asyncio.Event()  #: set while there is none
        self.disconnected.set()
        self.loop = asyncio.get_running_loop()
        self._relays = RelayPool()

    # ---- life -----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run until stopped. Raises OperatorError when a local port cannot be had."""
        self._notices.emit("SessionId", sessionId=self._identity.session_id)
        if self.config.unknown_fields:
            self._notices.info(f"configuration fields not used: {', '.join(self.config.unknown_fields)}")
        regions = sorted({entry.region for entry in self._entries if entry.region})
        self._notices.emit("AvailableEgressRegions", regions=regions)
        tasks: list[asyncio.Task[object]] = []
        try:
            await self._listen()
            self._notices.emit("Tunnels", count=0)
            work = asyncio.create_task(self._keep_connected())
            stopped = asyncio.create_task(self._stopping.wait())
            tasks = [work, stopped, asyncio.create_task(self._sweep())]
            await asyncio.wait((work, stopped), return_when=asyncio.FIRST_COMPLETED)
            await self._say_goodbye()
            if work.done():
                work.result()  # raises what went wrong
        finally:
            for server in self._servers:
                server.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._notices.emit("Exiting")

    def stop(self) -> None:
        """End the run in an orderly way."""
        self._stopping.set()

    async def _listen(self) -> None:
        config = self.config
        host = listening_address(config.listen_interface)
        proxies: list[tuple[str, bool, int, type[LocalConnection]]] = [
            ("Socks", config.disable_local_socks_proxy, config.local_socks_proxy_port, SocksConnection),
            ("Http", config.disable_local_http_proxy, config.local_http_proxy_port, HttpConnection),
        ]
        for name, disabled, port, kind in proxies:
            if disabled:
                continue
            try:
                server = await listen(
                    partial(kind, self),
                    host,
                    port,
                    what=f"the local {name.upper()} proxy (Local{name}ProxyPort)",
                )
            except HeadraceError:
                self._notices.emit(f"{name}ProxyPortInUse", port=port)
                raise
            self._servers.append(server)
            self.ports[name] = server.sockets[0].getsockname()[1]
            self._notices.emit(f"Listening{name}ProxyPort", port=self.ports[name])

    async def _sweep(self) -> None:
        """End port forwards whose far side has finished and whose application has gone quiet."""
        while True:
            await asyncio.sleep(SWEEP)
            self._relays.sweep(SWEEP)

    # ---- connecting -----------------------------------------------------------------------------------

    async def _keep_connected(self) -> None:
        while True:
            begun = time.monotonic()
            outcome = await self._establish()
            if outcome is None:
                return
            tunnel, response = outcome
            await self._operate(tunnel, response, time.monotonic() - begun)

    async def _establish(self) -> Outcome | None:
        config = self.config
        limit = config.establish_tunnel_timeout_seconds
        patience = ESTABLISH_TIMEOUT if limit is None else float(limit)
        race = Establishment(
            self._make,
            handshake=not config.disable_api,
            workers=config.connection_worker_pool_size or WORKERS,
            stagger=config.stagger_connection_workers_milliseconds / 1000,
            started=self._report_attempt,
            failed=self._report_failure,
        )
        try:
            async with asyncio.timeout(patience or None):
                while True:
                    attempts = candidates(
                        self._entries,
                        config.limit_tunnel_protocols,
                        self._rng,
                        lambda reason: self._notices.emit("SkipServerEntry", reason=reason),
                        self._affinity,
                        config.egress_region,
                        prefixes=self._prefixes,
                        padding=config.padding,
                    )
                    self._notices.emit("CandidateServers", count=len(attempts), region=config.egress_region)
                    outcome = await race.race(attempts)
                    if outcome is not None:
                        return outcome
                    await asyncio.sleep(PAUSE)
        except TimeoutError:
            self._notices.emit("EstablishTunnelTimeout", timeout=duration_text(patience))
            return None

    def _make(self, attempt: DialParameters) -> Tunnel:
        return Tunnel(attempt, self._identity, self._rng, self._requests.answer, self._proxy)

    def _report_attempt(self, attempt: DialParameters) -> None:
        self._notices.emit("ConnectingServer", None, **_about(attempt))

    def _report_failure(self, attempt: DialParameters, error: HeadraceError) -> None:
        self._notices.info(f"{attempt.diagnostic_id} over {attempt.protocol}: {error}")

    # ---- connected ------------------------------------------------------------------------------------

    async def _operate(self, tunnel: Tunnel, response: HandshakeResponse, took: float) -> None:
        attempt = tunnel.dial_parameters
        self._tunnel = tunnel
        self._affinity = attempt.entry.effective_tag
        self._monitor = TunnelMonitor(
            tunnel,
            self._rng,
            periodic=not self.config.disable_periodic_ssh_keep_alive,
            reporting=not self.config.disable_api,
        )
        self._report_tunnel(attempt, response)
        self.connected.set()
        self.disconnected.clear()
        try:
            async with asyncio.TaskGroup() as group:
                if not self.config.disable_api:
                    group.create_task(self._send_connected(tunnel, took))
                group.create_task(self._monitor.run())
                if self.config.emit_bytes_transferred:
                    group.create_task(self._report_bytes(tunnel))
        finally:
            self.connected.clear()
            self.disconnected.set()
            self._tunnel = self._monitor = None
            sent, received = tunnel.bytes_transferred
            identity = attempt.diagnostic_id
            self._notices.emit("TotalBytesTransferred", diagnosticID=identity, sent=sent, received=received)
            self._notices.emit("Tunnels", count=0)
            tunnel.close()

    def _report_tunnel(self, attempt: DialParameters, response: HandshakeResponse) -> None:
        emit = self._notices.emit
        identity = attempt.diagnostic_id
        emit("ConnectedServer", None, **_about(attempt))
        if response.client_region:
            emit("ClientRegion", region=response.client_region)
        if response.client_address:
            emit("ClientAddress", address=response.client_address)
        if response.server_timestamp:
            emit("ServerTimestamp", diagnosticID=identity, timestamp=response.server_timestamp)
        emit("ActiveAuthorizationIDs", diagnosticID=identity, IDs=response.active_authorization_ids)
        emit(
            "TrafficRateLimits",
            diagnosticID=identity,
            upstreamBytesPerSecond=response.upstream_bytes_per_second,
            downstreamBytesPerSecond=response.downstream_bytes_per_second,
        )
        for url in response.homepages:
            emit("Homepage", url=url)
        if response.upgrade_client_version:
            emit("ClientUpgradeAvailable", version=response.upgrade_client_version)
        emit("ActiveTunnel", diagnosticID=identity, protocol=attempt.protocol)
        emit("ConnectedServerRegion", serverRegion=attempt.entry.region)
        emit("Tunnels", count=1)

    async def _report_bytes(self, tunnel: Tunnel) -> None:
        """Tell each second what has passed since the last time, if anything has."""
        before = (0, 0)
        while not tunnel.ended.done():
            await asyncio.wait((tunnel.ended,), timeout=1)
            now = tunnel.bytes_transferred
            if now != before:
                sent, received = now[0] - before[0], now[1] - before[1]
                identity = tunnel.dial_parameters.diagnostic_id
                self._notices.emit("BytesTransferred", diagnosticID=identity, sent=sent, received=received)
            before = now

    async def _send_connected(self, tunnel: Tunnel, took: float) -> None:
        parameters = api.connected_parameters(
            self._identity, tunnel.dial_parameters, self._rng, self._last_connected, round(took * 1000)
        )
        payload = api.encode(self._identity, tunnel.dial_parameters, parameters)
        try:
            reply = await tunnel.request(b"psiphon-connected", payload)
        except HeadraceError as error:
            self._notices.info(f"the connected request failed: {error}")
            self.forward_failed()
            return
        self._last_connected = api.connected_timestamp(reply) or self._last_connected

    async def _say_goodbye(self) -> None:
        monitor = self._monitor
        if monitor is not None and not self.config.disable_api:
            await monitor.report(LAST_WORDS)

    # ---- what the local proxies ask for ---------------------------------------------------------------

    def open_forward(self, destination: Destination, endpoint: Endpoint) -> Channel:
        if self._tunnel is None:
            raise NetworkError("no active tunnels")
        return self._tunnel.open(destination, endpoint)

    def make_relay(self) -> Relay:
        relay = self._relays.make()
        self._relays.add(relay)
        return relay

    def forward_failed(self) -> None:
        if self._monitor is not None:
            self._monitor.forward_failed()


def _about(attempt: DialParameters) -> dict[str, object]:
    """What notices say about an attempt; none of it tells where the server is."""
    return {
        "diagnosticID": attempt.diagnostic_id,
        "region": attempt.entry.region,
        "protocol": attempt.protocol,
        "candidateNumber": attempt.candidate_number,
    }
