"""The client as a whole: local proxies that stay up, and tunnels behind them that are made anew when lost.

run ──► listen ──► establish ──► operate ──► (a tunnel lost) ──► establish ...
                    │  └─ no first tunnel in time: EstablishTunnelTimeout, and the run is over
                    └─ takes long: server lists are fetched meanwhile, and what they bring is tried at once

What it may be at is drawn in `phases`. One owner of everything: whatever is begun here is ended here.
"""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

from headrace.base.clock import SYSTEM_CLOCK, Clock
from headrace.base.errors import DocumentError, OperatorError
from headrace.base.rng import SYSTEM_RNG, Rng
from headrace.client.data_directory import DataDirectory
from headrace.client.list_import import Importer
from headrace.client.local_proxies import LocalProxies
from headrace.client.notices import Notices
from headrace.client.operation import Operation
from headrace.client.phases import TRANSITIONS, Phase, Turn
from headrace.client.region_reporter import RegionReporter
from headrace.client.search import Search
from headrace.client.server_lists import ServerLists
from headrace.client.server_requests import ServerRequests
from headrace.client.servers import Servers
from headrace.client.shared import Shared
from headrace.client.split_tunnel import SplitTunnel
from headrace.client.surroundings import Surroundings
from headrace.client.tunnel import Tunnel
from headrace.client.tunnel_report import report_tunnel
from headrace.client.udp import Udp
from headrace.codec.handshake_response import HandshakeResponse
from headrace.crypto.signing import VerifyingKey
from headrace.documents.client_config import ClientConfig
from headrace.establishment.dial_parameters import DialParameters
from headrace.establishment.journal import Journal
from headrace.net.device import insist_on_device
from headrace.net.http import Connector, direct, through
from headrace.net.relay import Relay
from headrace.net.relay_pool import RelayPool
from headrace.net.streams import ByteStream
from headrace.ssh.channel import Channel, Endpoint
from headrace.ssh.forwarding import Destination
from headrace.store.client.store import ClientStore

__all__ = ["Controller"]

#: Seconds between looks at whether lists have gone stale, while there is a tunnel.
REFRESH_PERIOD: Final = 3600.0
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
        surroundings: Surroundings | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.config = config
        self.phase = Phase.STARTING
        self.loop = asyncio.get_running_loop()
        self.connected = asyncio.Event()  #: set while there is a tunnel
        self.disconnected = asyncio.Event()  #: set while there is none
        self.disconnected.set()
        self._shared = shared = Shared.of(
            config, servers, notices, rng, clock, store, surroundings or Surroundings()
        )
        directly = partial(direct, device=config.bind_interface)
        self.connect_directly: Connector = directly if shared.proxy is None else shared.proxy.connect
        self.split = SplitTunnel.of(config, notices, clock, self.connect_directly)
        self.udp = Udp(self.open_forward, self.loop, rng, clock)
        self._servers = servers
        self._notices = notices
        self._embedded = embedded or {}
        self._proxies = LocalProxies(config, self, notices)
        self._relays = RelayPool()
        self._regions = RegionReporter(config, shared.dial_settings, servers, notices)
        self._operation = Operation(shared, self._lost)
        requests = ServerRequests(notices, store, self._seeded, show_keys=config.emit_sloks)
        self._search = Search(
            shared,
            journal if journal is not None else Journal(),
            self._keep,
            requests.answer,
            new_round=self._new_round,
            want_servers=self._want_servers,
        )
        self._importer: Importer | None = None
        self._import_error = ""
        self._lists: ServerLists | None = None
        if store is not None:
            text = config.server_entry_signature_public_key
            key = VerifyingKey.from_text(text) if text else None
            self._importer = Importer(store, notices, self._arrived, clock, key)
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
                tunneled=self.connected.is_set,
                user_agent=f"psiphon-tunnel-core/{config.client_version} ({shared.identity.platform})",
            )
        self._one_is_missing = asyncio.Event()
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._broken: asyncio.Future[None] = self.loop.create_future()

    @property
    def ports(self) -> Mapping[str, int]:
        """Ports of the local proxies by name, once they listen."""
        return self._proxies.ports

    # ---- life -----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run until stopped. Raises OperatorError without a local port, or anybody to connect to."""
        shared = self._shared
        self._notices.emit("SessionId", sessionId=shared.identity.session_id)
        if self.config.unknown_fields:
            self._notices.info(f"configuration fields not used: {', '.join(self.config.unknown_fields)}")
        try:
            if self.config.bind_interface:
                insist_on_device(self.config.bind_interface)
                self._notices.emit("BindToDevice", deviceInfo=self.config.bind_interface)
            await self._proxies.open()
            self._turn(Turn.LISTENING)
            self._notices.emit("Tunnels", count=0)
            work = self._spawn(self._keep_connected())
            stopped = self._spawn(self._stopping.wait())
            self._spawn(self._sweep())
            self._spawn(self._regions.run())
            if self._lists is not None:
                self._spawn(self._fetch(self._lists))
                self._spawn(self._keep_lists_fresh(self._lists))
            self._spawn(shared.surroundings.watch(self._network_changed, self._operation.resumed))
            await asyncio.wait((work, stopped, self._broken), return_when=asyncio.FIRST_COMPLETED)
            self._turn(Turn.STOP)
            work.cancel()
            await self._operation.say_goodbye()
            if self._broken.done():
                self._broken.result()  # raises what went wrong
        except (DocumentError, OperatorError) as error:
            if str(error) != self._import_error:  # that was told at once
                self._notices.error(str(error))
            raise
        finally:
            self._proxies.close()
            if self.phase is not Phase.STOPPING:
                self._turn(Turn.STOP)
            tasks = tuple(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.udp.close()
            self._operation.close()
            self._broken.cancel()
            self._turn(Turn.DONE)
            self._notices.emit("Exiting")

    def stop(self) -> None:
        """End the run in an orderly way."""
        self._stopping.set()

    def _turn(self, turn: Turn) -> None:
        self.phase = TRANSITIONS[self.phase][turn]

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Have something done until the run ends; a mistake in it ends the run."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            (error,) = error.exceptions  # of one among several tasks that belong together
        if error is not None and not self._broken.done():
            self._broken.set_exception(error)

    async def _sweep(self) -> None:
        """End port forwards whose far side has finished and whose application has gone quiet.

        And the run, once applications cannot connect any more.
        """
        while True:
            await asyncio.sleep(SWEEP)
            self._relays.sweep(SWEEP)
            self._proxies.check()

    # ---- tunnels --------------------------------------------------------------------------------------

    async def _keep_connected(self) -> None:
        # A client that knows nobody has to wait for what it brought along; any other begins with those.
        importing = self._spawn(self._import_embedded())
        if not self._servers.count():
            await asyncio.wait((importing,))
        operation = self._operation
        while True:
            self._one_is_missing.clear()
            if not await self._search.find(lambda: operation.pool.addresses, favourite=operation.favourite):
                return
            missing = self._one_is_missing.is_set() or operation.pausing
            if self.phase is Phase.FILLING and not missing:
                self._turn(Turn.COMPLETE)
            await self._one_is_missing.wait()

    def _keep(self, tunnel: Tunnel, response: HandshakeResponse, took: float) -> None:
        """Use a tunnel from now on."""
        if self.phase is Phase.STOPPING:  # it became ready in this very moment
            tunnel.abort()
            return
        attempt = tunnel.dial_parameters
        self._servers.keep_first(attempt.entry, self.config.egress_region)
        self._operation.pool.add(tunnel)
        self.connected.set()
        self.disconnected.clear()
        self._turn(Turn.GAINED)
        self.udp.tunnels_changed()
        report_tunnel(self._notices, attempt, response, len(self._operation.pool), self.split)
        if response.encoded_server_list and self._importer is not None:
            self._spawn(self._import_discovered(self._importer, attempt, response))
        self._spawn(self._operate(tunnel, took))

    async def _operate(self, tunnel: Tunnel, took: float) -> None:
        await self._operation.run(tunnel, took)
        self._one_is_missing.set()
        address = tunnel.dial_parameters.entry.ip_address
        if address not in self._operation.pool.addresses:  # else it was found again meanwhile
            self._search.lost(address)

    def _lost(self, count: int) -> None:
        """There is a tunnel less."""
        if count:
            self.udp.tunnels_changed()
        else:
            self.connected.clear()
            self.disconnected.set()
        if self.phase is not Phase.STOPPING:
            self._turn(Turn.LOST_ONE if count else Turn.LOST_LAST)

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

    async def _import_discovered(
        self, importer: Importer, attempt: DialParameters, response: HandshakeResponse
    ) -> None:
        lines = response.encoded_server_list
        try:
            await importer.import_discovered(lines, response.server_time(), attempt.entry)
        except (DocumentError, OperatorError) as error:
            self._notices.warning(f"servers learned of from a server: {error}")

    def _new_round(self, number: int) -> None:
        if number == 0:
            self._regions.begin()

    def _arrived(self, addresses: list[str]) -> None:
        """Servers are known that were not known before."""
        self._regions.want()
        self._search.arrived(addresses)

    def _want_servers(self) -> None:
        if self._lists is not None and self._lists.any:
            self._lists.want()
        elif not self._servers.count():
            raise OperatorError(
                self._import_error
                or "there is no server entry to connect to, or none that can be used; add TargetServerEntry, "
                "EmbeddedServerEntryList or RemoteServerListURLs to the configuration, or name a list with "
                "--server-list"
            )

    def _seeded(self) -> None:
        if self._lists is not None:
            self._lists.seeded()

    async def _fetch(self, lists: ServerLists) -> None:
        """Fetch lists as they are wanted; without them the client goes on with the servers it knows."""
        try:
            await lists.run()
        except Exception as error:
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
        if self._operation.pool:
            connect = through(self._operation.pool.next().open_channel)
        else:
            connect = self.connect_directly
        return await connect(host, port, timeout)

    # ---- what the machine and the local proxies say ---------------------------------------------------

    def _network_changed(self) -> None:
        """Connections that began on another network lead nowhere: begin anew on this one."""
        self._notices.info("the network has changed")
        if self.split is not None:
            self.split.forget()
        self._operation.network_changed()
        self._search.begin_anew()

    def open_forward(self, destination: Destination, endpoint: Endpoint) -> Channel:
        return self._operation.pool.next().open(destination, endpoint)

    def make_relay(self) -> Relay:
        relay = self._relays.make()
        self._relays.add(relay)
        return relay

    def forward_failed(self) -> None:
        self._operation.forward_failed()
