"""What a client has once it is logged in: requests, port forwards, and all that counts and limits them.

psiphon-handshake ──► port forwards, UDP, keys for obfuscated lists, alerts
a test of the line ──► once before it, as often as the client likes after it
"""

from functools import partial
from typing import TYPE_CHECKING

from headrace.base.errors import NetworkError, RemoteProtocolError
from headrace.documents.osl.seeding import SeedState
from headrace.documents.traffic_rules import TrafficLimits
from headrace.server.alerts import Alerts
from headrace.server.api import ApiSession
from headrace.server.client_rules import ClientRules
from headrace.server.forwards import PortForwards
from headrace.server.gate import Gate
from headrace.server.liveness import LivenessEndpoint, parse_liveness
from headrace.server.osl_seeding import Seeding
from headrace.server.stats.tunnel_record import TunnelRecord
from headrace.server.udpgw_channel import UdpgwEndpoint
from headrace.ssh import numbers
from headrace.ssh.channel import Channel
from headrace.ssh.connection import Connection
from headrace.ssh.forwarding import DIRECT_TCPIP, DIRECT_TCPIP_UNSPLIT, LIVENESS, Destination, Failure
from headrace.ssh.liveness import RandomExchange
from headrace.ssh.shaper import ServerShaper
from headrace.ssh.transport import Transport

if TYPE_CHECKING:
    from headrace.server.session import Session
    from headrace.server.worker import Worker

__all__ = ["ClientTunnel"]


class ClientTunnel:
    """The tunnel of one session. `record` is of what it carries."""

    def __init__(
        self,
        session: "Session",
        worker: "Worker",
        rules: ClientRules,
        transport: Transport,
        record: TunnelRecord,
    ) -> None:
        shared = worker.shared
        self.record = record
        self._session = session
        self._worker = worker
        self.api = ApiSession(shared.api, rules, session.origin, lambda: session.socket.peer, worker.counts)
        hit = partial(worker.stats.listed, session)
        self._gate = Gate(shared.exits, rules.limits, worker.counts, hit)
        self.forwards = PortForwards(worker.resolver, self._gate, worker.spawn)
        self.forwards.record = record
        self._seeding: Seeding | None = None
        self._udpgw: UdpgwEndpoint | None = None
        self._liveness_used = False
        self._connection = Connection(transport, self._accept, self._answer, shared.max_channels)
        session.socket.block = self._connection.block
        shapes = session.login.shaping and not shared.config.disable_stream_shaping
        self._shaper = ServerShaper(transport, shared.rng) if shapes else None

    # ---- requests -------------------------------------------------------------------------------------

    def _answer(self, name: bytes, payload: memoryview) -> bytes | None:
        before, failed = self.api.handshaken, self.api.failed
        reply = self.api.answer(name, bytes(payload))
        if self.api.failed and not failed:  # what comes after it neither counts nor hastens the end
            self._session.end_soon("bad_handshake")
        elif self.api.handshaken and not before:
            self._begin()
        return reply

    def _begin(self) -> None:
        """The client may use the tunnel from now on."""
        self.forwards.splits = self._splits if self.api.split_regions else None
        if self._session.login.server_requests:
            request = self._connection.request
            self._gate.alerts = Alerts(request, self._alert_urls, self._worker.counts)
            self._seeding = Seeding(self._seed_state(), request, self._worker.shared.clock)
            self.forwards.seeding = self._seeding
        self._session.greeted()

    def _splits(self, address: str) -> bool:
        """Say whether an address is in a country that the client reaches directly."""
        return self._worker.shared.geo_ip.country(address) in self.api.split_regions

    def _alert_urls(self, reason: str) -> list[str]:
        return self.api.services.psinet.alert_urls(reason, self.api.audience)

    def _seed_state(self) -> SeedState:
        channel = str(self.api.parameters["propagation_channel_id"])
        return self._worker.seed_states.take(self._session.login.session_id, channel, self.api.client_region)

    # ---- channels -------------------------------------------------------------------------------------

    def _accept(self, channel: Channel, kind: bytes, extra: memoryview) -> None:
        if kind in (DIRECT_TCPIP, DIRECT_TCPIP_UNSPLIT):
            self._accept_forward(channel, extra, may_split=kind == DIRECT_TCPIP)
        elif kind == LIVENESS:
            self._accept_liveness(channel, extra)
        else:
            channel.refuse(numbers.ADMINISTRATIVELY_PROHIBITED, "")

    def _accept_liveness(self, channel: Channel, extra: memoryview) -> None:
        try:
            request = parse_liveness(bytes(extra))
        except RemoteProtocolError:
            request = None
        handshaken = self.api.handshaken
        if request is None or (self._liveness_used and not handshaken):
            channel.refuse(numbers.ADMINISTRATIVELY_PROHIBITED, "")
            return
        self._liveness_used = True
        streams = self.record.streams if handshaken else self.record.early_streams
        streams.opened(request.up, request.down)
        _serve(channel, LivenessEndpoint(request, self._worker.shared.rng))

    def _accept_forward(self, channel: Channel, extra: memoryview, *, may_split: bool) -> None:
        shared = self._worker.shared
        try:
            destination = Destination.parse(extra)
        except RemoteProtocolError:  # what an application asked its client for need not be the client's fault
            channel.refuse(numbers.CONNECT_FAILED, Failure.UNREACHABLE.value)
            return
        if not (self.api.handshaken or shared.forwards_before_handshake):
            channel.refuse(numbers.ADMINISTRATIVELY_PROHIBITED, Failure.FORBIDDEN.value)
        elif (destination.host, destination.port) == shared.udpgw:
            self._accept_udpgw(channel)
        else:
            if self._shaper is not None:
                self._shaper.begin(channel)
            self.forwards.open(channel, destination, may_split=may_split)

    def _accept_udpgw(self, channel: Channel) -> None:
        if self._udpgw is not None:
            self._udpgw.close()  # its limits are the tunnel's: one at a time
        self._udpgw = UdpgwEndpoint(
            self._gate, self._worker.shared.dns_server, seeding=self._seeding, record=self.record
        )
        self.record.udpgw_channels += 1
        _serve(channel, self._udpgw)

    # ---- what changes, and the end --------------------------------------------------------------------

    def limit(self, limits: TrafficLimits) -> None:
        """Go by other limits. What they forbid and is open already goes on."""
        self._gate.limits = limits

    def reload(self) -> None:
        """Go by other files than before."""
        shared = self._worker.shared
        self.api.services = shared.api
        self._gate.exits = shared.exits

    def reseed(self) -> None:
        """The configuration of obfuscated lists is another: begin anew."""
        if self._seeding is not None:
            self._seeding.restart(self._seed_state())

    @property
    def buffered(self) -> int:
        """Bytes that wait to be sent to where port forwards lead."""
        return self.forwards.buffered

    def sweep(self, elapsed: float) -> None:
        """Look after idle forwards; `elapsed` seconds have passed since the last call."""
        self.forwards.sweep(elapsed)
        if self._seeding is not None:
            self._seeding.sweep()

    def lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        if self._seeding is not None:
            self._worker.seed_states.keep(self._session.login.session_id, self._seeding.end())
        self._connection.lost(error or NetworkError("the tunnel was closed"))

    def close(self) -> None:
        """Drop what leads elsewhere."""
        self.record.close()
        self.forwards.close()


def _serve(channel: Channel, endpoint: RandomExchange | UdpgwEndpoint) -> None:
    """Accept a channel that we serve ourselves."""
    channel.accept(endpoint)
    endpoint.opened(channel)
