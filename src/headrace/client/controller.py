"""The client as a whole: local proxies that stay up, and a tunnel behind them that is made anew when lost.

run ──► listen ──► establish ──► operate ──► (tunnel lost) ──► establish ...
                    │  └─ no first tunnel in time: EstablishTunnelTimeout, and the run is over
                    └─ takes long: server lists are fetched meanwhile, and what they bring is tried at once
"""

import asyncio
import errno
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from headrace.base.clock import SYSTEM_CLOCK, Clock
from headrace.base.errors import DocumentError, NetworkError, OperatorError
from headrace.base.rng import SYSTEM_RNG, Rng
from headrace.client import api
from headrace.client.connected_reporter import ConnectedReporter
from headrace.client.data_directory import DataDirectory
from headrace.client.list_import import Importer
from headrace.client.local_connection import LocalConnection
from headrace.client.local_http import HttpConnection
from headrace.client.local_socks import SocksConnection
from headrace.client.monitor import TunnelMonitor
from headrace.client.notices import Notices
from headrace.client.operate_settings import OperateSettings
from headrace.client.search import Search, describe
from headrace.client.server_lists import ServerLists
from headrace.client.server_requests import ServerRequests
from headrace.client.servers import Servers
from headrace.client.status_reporter import StatusReporter
from headrace.client.tunnel import Tunnel
from headrace.codec.handshake_response import HandshakeResponse
from headrace.documents.client_config import ClientConfig
from headrace.establishment.dial_parameters import DialParameters
from headrace.net.dial import listen
from headrace.net.http import direct, through
from headrace.net.interfaces import listening_address
from headrace.net.relay import Relay
from headrace.net.relay_pool import RelayPool
from headrace.net.streams import ByteStream
from headrace.net.upstream_proxy import UpstreamProxy
from headrace.ssh.channel import Channel, Endpoint
from headrace.ssh.forwarding import Destination
from headrace.store.client.store import ClientStore

__all__ = ["Controller"]

#: Seconds between looks at whether lists have gone stale, while there is a tunnel.
REFRESH_PERIOD: Final = 3600.0
#: A tunnel that lasted fewer seconds was of no use: as many pass before the next, and others have a chance.
SHORT_LIVED: Final = 2.0
#: Seconds between looks at port forwards that wait for nothing any more.
SWEEP: Final = 5.0


class Controller:
    """One run of the client. `run` returns when `stop` was called or no first tunnel could be had in time."""

    def __init__(
        self,
        config: ClientConfig,
        servers: Servers,
        notices: Notices,
        rng: Rng = SYSTEM_RNG,
        *,
        store: ClientStore | None = None,
        directory: DataDirectory | None = None,
        embedded: Mapping[str, Sequence[str]] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.config = config
        self.ports: dict[str, int] = {}  #: local proxies by name, once they listen
        self._servers = servers
        self._notices = notices
        self._rng = rng
        self._store = store
        self._embedded = embedded or {}
        self._identity = api.Identity.from_config(config)
        self._proxy = UpstreamProxy.from_config(config)
        self._tunnel: Tunnel | None = None
        self._monitor: TunnelMonitor | None = None
        self._search = Search(
            config, servers, notices, rng, self._make, self._want_servers, self._insist_on_servers
        )
        self._importer: Importer | None = None
        self._import_error = ""
        self._lists: ServerLists | None = None
        if store is not None:
            self._importer = Importer(store, notices, self._arrived, clock)
        if self._importer is not None and store is not None and directory is not None:
            self._lists = ServerLists(
                config,
                store,
                directory,
                self._importer,
                notices,
                rng,
                clock,
                connect=self._connect,
                tunneled=lambda: self._tunnel is not None,
                user_agent=f"psiphon-tunnel-core/{config.client_version} ({self._identity.platform})",
            )
        self._requests = ServerRequests(notices, store, self._seeded, show_keys=config.emit_sloks)
        self._stopping = asyncio.Event()
        self._connected_reporter = ConnectedReporter(self._identity, rng, notices, store)
        self._status_reporter = StatusReporter(self._identity, rng, notices, clock, store)
        self._listeners: list[asyncio.Server] = []
        self.connected = asyncio.Event()  #: set while there is a tunnel
        self.disconnected = asyncio.Event()  #: set while there is none
        self.disconnected.set()
        self.loop = asyncio.get_running_loop()
        self._relays = RelayPool()

    # ---- life -----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run until stopped. Raises OperatorError without a local port, or anybody to connect to."""
        self._notices.emit("SessionId", sessionId=self._identity.session_id)
        if self.config.unknown_fields:
            self._notices.info(f"configuration fields not used: {', '.join(self.config.unknown_fields)}")
        self._notices.emit("AvailableEgressRegions", regions=self._servers.regions())
        tasks: list[asyncio.Task[object]] = []
        try:
            await self._listen()
            self._notices.emit("Tunnels", count=0)
            work = asyncio.create_task(self._keep_connected())
            stopped = asyncio.create_task(self._stopping.wait())
            tasks = [work, stopped, asyncio.create_task(self._sweep())]
            if self._lists is not None:
                fetching = asyncio.create_task(self._lists.run())
                fetching.add_done_callback(self._fetching_ended)
                tasks += [fetching, asyncio.create_task(self._keep_lists_fresh(self._lists))]
            await asyncio.wait((work, stopped), return_when=asyncio.FIRST_COMPLETED)
            await self._say_goodbye()
            if work.done():
                work.result()  # raises what went wrong
        finally:
            for listener in self._listeners:
                listener.close()
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
            except OperatorError as error:
                if isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EADDRINUSE:
                    self._notices.emit(f"{name}ProxyPortInUse", port=port)
                raise
            self._listeners.append(server)
            self.ports[name] = server.sockets[0].getsockname()[1]
            self._notices.emit(f"Listening{name}ProxyPort", port=self.ports[name])

    async def _sweep(self) -> None:
        """End port forwards whose far side has finished and whose application has gone quiet."""
        while True:
            await asyncio.sleep(SWEEP)
            self._relays.sweep(SWEEP)

    # ---- connecting -----------------------------------------------------------------------------------

    async def _keep_connected(self) -> None:
        # A client that knows nobody has to wait for what it brought along; any other begins with those.
        importing = asyncio.create_task(self._import_embedded())
        try:
            if not self._servers.count():
                await importing
            useful = True
            while True:
                begun = self.loop.time()
                outcome = await self._search.find(head_start=useful)
                if outcome is None:
                    return
                tunnel, response = outcome
                connected = self.loop.time()
                await self._operate(tunnel, response, connected - begun)
                useful = self.loop.time() - connected >= SHORT_LIVED
                if not useful:
                    await asyncio.sleep(SHORT_LIVED)
        finally:
            importing.cancel()
            await asyncio.gather(importing, return_exceptions=True)

    # ---- more servers ---------------------------------------------------------------------------------

    async def _import_embedded(self) -> None:
        """Import what came with the program; what is wrong with it is no reason to stop, if there is more."""
        if self._importer is None:
            return
        for where, lines in self._embedded.items():
            try:
                await self._importer.import_embedded(lines)
            except (DocumentError, OperatorError) as error:
                self._import_error = f"{where}: {error}"
                self._notices.error(self._import_error)

    def _insist_on_servers(self) -> None:
        """Raise OperatorError if there is nobody to connect to, and nowhere to learn of anybody."""
        if self._servers.count() or (self._lists is not None and self._lists.any):
            return
        raise OperatorError(
            self._import_error
            or "there is no server entry to connect to, or none that can be used; add TargetServerEntry, "
            "EmbeddedServerEntryList or RemoteServerListURLs to the configuration, or name a list with "
            "--server-list"
        )

    def _arrived(self, addresses: list[str]) -> None:
        """Servers are known that were not known before."""
        self._notices.emit("AvailableEgressRegions", regions=self._servers.regions())
        self._search.try_next(addresses)

    def _want_servers(self) -> None:
        if self._lists is not None:
            self._lists.want()

    def _seeded(self) -> None:
        if self._lists is not None:
            self._lists.seeded()

    def _fetching_ended(self, task: asyncio.Task[None]) -> None:
        """Tell of a mistake of ours; the client goes on with the servers it knows."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._notices.emit("InternalError", message=f"server lists are fetched no more: {error!r}")

    async def _keep_lists_fresh(self, lists: ServerLists) -> None:
        """Fetch through each tunnel what has gone stale."""
        while True:
            await self.connected.wait()
            lists.want()
            with suppress(TimeoutError):
                async with asyncio.timeout(REFRESH_PERIOD):
                    await self.disconnected.wait()

    async def _connect(self, host: str, port: int, timeout: float) -> ByteStream:
        """Connect for a request of ours: through the tunnel if there is one, else as tunnels are dialled."""
        if self._tunnel is not None:
            connect = through(self._tunnel.open_channel)
        else:
            connect = direct if self._proxy is None else self._proxy.connect
        return await connect(host, port, timeout)

    def _make(self, attempt: DialParameters) -> Tunnel:
        return Tunnel(attempt, self._identity, self._rng, self._requests.answer, self._proxy)

    # ---- connected ------------------------------------------------------------------------------------

    async def _operate(self, tunnel: Tunnel, response: HandshakeResponse, took: float) -> None:
        attempt = tunnel.dial_parameters
        self._tunnel = tunnel
        self._servers.keep_first(attempt.entry, self.config.egress_region)
        self._monitor = TunnelMonitor(
            tunnel,
            self._rng,
            OperateSettings.from_config(self.config),
            moved=partial(self._moved, attempt),
        )
        self._report_tunnel(attempt, response)
        self.connected.set()
        self.disconnected.clear()
        try:
            async with asyncio.TaskGroup() as group:
                if not self.config.disable_api:
                    group.create_task(self._connected_reporter.run(tunnel, took, self.forward_failed))
                    group.create_task(self._status_reporter.run(tunnel, self.forward_failed))
                group.create_task(self._monitor.run())
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
        """Tell of a new tunnel, in the order that front ends rely on (client spec §1.8)."""
        emit = self._notices.emit
        identity = attempt.diagnostic_id
        emit("ConnectedServer", None, **describe(attempt))
        if response.client_address:
            emit("ClientAddress", address=response.client_address)
        if response.client_region:
            emit("ClientRegion", region=response.client_region)
        for url in response.homepages:
            emit("Homepage", url=url)
        if response.upgrade_client_version:
            emit("ClientUpgradeAvailable", version=response.upgrade_client_version)
        if response.server_timestamp:
            emit("ServerTimestamp", diagnosticID=identity, timestamp=response.server_timestamp)
        emit("ActiveAuthorizationIDs", diagnosticID=identity, IDs=response.active_authorization_ids)
        emit(
            "TrafficRateLimits",
            diagnosticID=identity,
            upstreamBytesPerSecond=response.upstream_bytes_per_second,
            downstreamBytesPerSecond=response.downstream_bytes_per_second,
        )
        emit("Tunnels", count=1)
        emit("ActiveTunnel", diagnosticID=identity, protocol=attempt.protocol)
        emit("ConnectedServerRegion", serverRegion=attempt.entry.region)

    def _moved(self, attempt: DialParameters, sent: int, received: int) -> None:
        """Tell and count what has passed since the last time."""
        self._status_reporter.moved(sent, received)
        identity = attempt.diagnostic_id
        self._notices.emit("BytesTransferred", diagnosticID=identity, sent=sent, received=received)

    async def _say_goodbye(self) -> None:
        if self._tunnel is not None and self._monitor is not None and not self.config.disable_api:
            self._monitor.look()
            await self._status_reporter.last_words(self._tunnel)

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
