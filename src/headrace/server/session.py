"""One client's tunnel on the server: from the accepted connection to its end.

accepted ──► preamble checked ──► keys ──► password ──► API handshake ──► port forwards
    └─ stranger: read and discard until the handshake's time is up, then close
"""

import asyncio
import hmac
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from headrace.base.errors import NetworkError, RemoteProtocolError
from headrace.documents.osl.seeding import SeedState
from headrace.documents.traffic_rules import ClientTraits
from headrace.net.tunnel_socket import TunnelSocket
from headrace.server.alerts import Alerts
from headrace.server.api import ApiSession
from headrace.server.client_rules import ClientRules
from headrace.server.forwards import PortForwards
from headrace.server.gate import Gate
from headrace.server.liveness import LivenessEndpoint, parse_liveness
from headrace.server.login import Login, read_login
from headrace.server.origin import UNKNOWN_ORIGIN, Origin
from headrace.server.osl_seeding import Seeding
from headrace.server.rates import Rates
from headrace.server.stats.tunnel_record import TunnelRecord
from headrace.server.udpgw_channel import UdpgwEndpoint
from headrace.ssh import numbers
from headrace.ssh.auth import ServerAuth
from headrace.ssh.channel import Channel
from headrace.ssh.clear import Veil
from headrace.ssh.connection import Connection
from headrace.ssh.forwarding import DIRECT_TCPIP, DIRECT_TCPIP_UNSPLIT, LIVENESS, Destination, Failure
from headrace.ssh.liveness import RandomExchange
from headrace.ssh.transport import Role, Transport, TransportConfig
from headrace.transports import ServerSide, TunnelProtocol

if TYPE_CHECKING:
    from headrace.server.worker import Worker

__all__ = ["Session"]

_log = logging.getLogger(__name__)


class Session:
    """The owner of one tunnel socket."""

    def __init__(self, worker: "Worker", protocol: TunnelProtocol) -> None:
        self._worker = worker
        self._protocol = protocol
        shared = worker.shared
        self.socket = TunnelSocket(
            protocol.server_layer(
                ServerSide(shared.keyword, shared.rng, shared.prefixes, shared.seen, shared.config.padding)
            ),
            self,
        )
        self._transport: Transport | None = None
        self._connection: Connection | None = None
        self._api: ApiSession | None = None
        self._gate: Gate | None = None
        self._forwards: PortForwards | None = None
        self._login = Login()
        self.origin = UNKNOWN_ORIGIN
        self._rules: ClientRules | None = None
        self._rates = Rates(self.socket, self._end_soon)
        self._seeding: Seeding | None = None
        self._liveness_used = False
        self._udpgw: UdpgwEndpoint | None = None
        self._seen_bytes = 0
        self._silent = 0.0
        self._leaving = False
        self._began = asyncio.get_running_loop().time()
        self.record: TunnelRecord | None = None  #: of a tunnel
        self.state = "handshake"  #: handshake, refused, tunnel
        self._deadline = asyncio.get_running_loop().call_later(shared.handshake_timeout, self._time_is_up)

    @property
    def protocol_name(self) -> str:
        """The tunnel protocol's name."""
        return self._protocol.name

    @property
    def parameters(self) -> Mapping[str, object]:
        """What the client said in its handshake; nothing before that."""
        return self._api.parameters if self._api is not None else {}

    @property
    def access_types(self) -> Sequence[str]:
        """What the client is authorized for."""
        return self._rules.access_types if self._rules is not None else ()

    def asn_of(self, address: str) -> str:
        """Return the network that a destination is in."""
        return self._worker.shared.geo_ip.asn(address)

    @property
    def _age(self) -> float:
        return asyncio.get_running_loop().time() - self._began

    # ---- what the socket calls ------------------------------------------------------------------------

    def connected(self) -> None:
        """Make of the peer's address what is kept of it, now and never again."""
        shared = self._worker.shared
        address = self.socket.peer_address
        self.origin = Origin(
            shared.geo_ip.place(address), shared.discovery.choose(address, shared.clock.time())
        )
        place = self.origin.place
        traits = ClientTraits(
            tunnel_protocol=self._protocol.name,
            region=place.country,
            isp=place.isp,
            asn=place.asn,
            city=place.city,
            provider_id=shared.provider_id,
        )
        self._rules = ClientRules(shared.rules, traits, self._worker.authorizations, self._limits_changed)
        self._rates.change(self._rules.limits)

    def admit(self, proceed: Callable[[], None]) -> bool:
        return self._worker.admit(self, proceed)

    def make_transport(self, wake: Callable[[], None], veil: Veil | None) -> Transport:
        shared = self._worker.shared
        config = TransportConfig(
            role=Role.SERVER,
            identification=shared.identification,
            offer=self._protocol.offer,
            host_keys=(shared.host_key,),
            hide_lengths=self._protocol.hide_lengths,
        )
        self._transport = transport = Transport(config, shared.rng, wake, veil)
        transport.ready = self._wait_for_login
        transport.disconnected = lambda code, text: self.socket.close()
        return transport

    def refused(self, reason: str) -> None:
        """Strangers hear nothing, and the connection stays open as long as an unfinished handshake would."""
        self.state = "refused"
        self._worker.released(self)
        self._worker.stats.refused(self, reason)

    def lost(self, error: Exception | None) -> None:
        self._deadline.cancel()
        if self._connection is not None:
            if self._seeding is not None:
                self._worker.seed_states.keep(self._login.session_id, self._seeding.end())
            self._connection.lost(error or NetworkError("the tunnel was closed"))
        if self.record is not None:
            self._worker.stats.ended(self, self.record, self._age)
            self.record.close()
        elif self.state == "handshake":
            late = self._age >= self._worker.shared.handshake_timeout
            self._worker.stats.failed("timeout" if late else "lost")
        if self._forwards is not None:
            self._forwards.close()
            self._worker.clients.left(self._login.session_id, self)
        if self._rules is not None:
            self._rules.close()
        self._worker.ended(self)

    # ---- log-in ---------------------------------------------------------------------------------------

    def _wait_for_login(self) -> None:
        assert self._transport is not None
        ServerAuth(self._transport, self._check, self._logged_in)

    def _check(self, user: str, text: str) -> bool:
        """Compare user and password in constant time, whichever form the password has (tunnel spec §4)."""
        shared = self._worker.shared
        self._login = login = read_login(text)
        # JSON can spell half a surrogate pair, which no encoder takes as it is.
        same_user = hmac.compare_digest(user.encode(), shared.user.encode())
        same_password = hmac.compare_digest(
            login.password.encode("utf-8", "surrogatepass"), shared.password.encode()
        )
        return same_user and same_password

    def _logged_in(self) -> None:
        assert self._transport is not None and self._rules is not None
        shared = self._worker.shared
        self._deadline.cancel()
        self._worker.logged_in(self)
        self.state = "tunnel"
        first = self._worker.clients.arrived(self._login.session_id, self)
        self._rules.logged_in(self._login.session_id, first_tunnel=first)
        self._api = ApiSession(
            shared.api, self._rules, self.origin, lambda: self.socket.peer, self._worker.counts
        )
        hit = partial(self._worker.stats.listed, self)
        self._gate = Gate(shared.exits, self._rules.limits, self._worker.counts, hit)
        self._forwards = PortForwards(self._worker.resolver, self._gate, self._worker.spawn)
        self.record = self._worker.stats.begun(self, self._age, first=first)
        self._forwards.record = self.record
        self._connection = Connection(self._transport, self._accept, self._answer, shared.max_channels)
        self.socket.block = self._connection.block

    # ---- requests and channels ------------------------------------------------------------------------

    def _answer(self, name: bytes, payload: memoryview) -> bytes | None:
        assert self._api is not None and self._forwards is not None and self._gate is not None
        handshaken = self._api.handshaken
        reply = self._api.answer(name, bytes(payload))
        if self._api.failed:
            self._end_soon()
        elif self._api.handshaken and not handshaken:
            self._forwards.splits = self._splits if self._api.split_regions else None
            self._rates.begin()
            if self._login.server_requests:
                self._gate.alerts = self._make_alerts()
            self._limits_changed()
            self._seed()
        return reply

    def _make_alerts(self) -> Alerts:
        assert self._api is not None and self._connection is not None
        api = self._api
        return Alerts(
            self._connection.request,
            lambda reason: api.services.psinet.alert_urls(reason, api.audience),
            self._worker.counts,
        )

    def _limits_changed(self) -> None:
        """Go by other limits. What they forbid and is open already goes on."""
        assert self._rules is not None
        limits = self._rules.limits
        self._rates.change(limits)
        if self._gate is not None:
            self._gate.limits = limits

    def reload(self) -> None:
        """Go by other files than before."""
        shared = self._worker.shared
        if self._rules is not None:
            self._rules.reload(shared.rules)
        if self._api is not None:
            self._api.services = shared.api
        if self._gate is not None:
            self._gate.exits = shared.exits

    def superseded(self) -> None:
        """The client has a newer tunnel: this one leads nowhere."""
        self._worker.counts["closed.superseded"] += 1
        self.socket.abort()

    def _splits(self, address: str) -> bool:
        """Say whether an address is in a country that the client reaches directly."""
        assert self._api is not None
        return self._worker.shared.geo_ip.country(address) in self._api.split_regions

    def _seed(self) -> None:
        """Begin to count towards keys for obfuscated lists, if the client can be sent any."""
        assert self._connection is not None and self._forwards is not None
        if self._login.server_requests:
            clock = self._worker.shared.clock
            self._seeding = Seeding(self._seed_state(), self._connection.request, clock)
            self._forwards.seeding = self._seeding

    def _seed_state(self) -> SeedState:
        assert self._api is not None
        channel = str(self._api.parameters["propagation_channel_id"])
        return self._worker.seed_states.take(self._login.session_id, channel, self._api.client_region)

    def reseed(self) -> None:
        """The configuration of obfuscated lists is another: begin anew."""
        if self._seeding is not None:
            self._seeding.restart(self._seed_state())

    def _accept(self, channel: Channel, kind: bytes, extra: memoryview) -> None:
        if kind in (DIRECT_TCPIP, DIRECT_TCPIP_UNSPLIT):
            self._accept_forward(channel, extra, may_split=kind == DIRECT_TCPIP)
        elif kind == LIVENESS:
            self._accept_liveness(channel, extra)
        else:
            channel.refuse(numbers.ADMINISTRATIVELY_PROHIBITED, "")

    def _accept_liveness(self, channel: Channel, extra: memoryview) -> None:
        """Test the line: once before the handshake, as often as the client likes after it."""
        assert self._api is not None
        try:
            request = parse_liveness(bytes(extra))
        except RemoteProtocolError:
            request = None
        if request is None or (self._liveness_used and not self._api.handshaken):
            channel.refuse(numbers.ADMINISTRATIVELY_PROHIBITED, "")
            return
        self._liveness_used = True
        if self.record is not None:
            streams = self.record.streams if self._api.handshaken else self.record.early_streams
            streams.opened(request.up, request.down)
        _serve(channel, LivenessEndpoint(request, self._worker.shared.rng))

    def _accept_forward(self, channel: Channel, extra: memoryview, *, may_split: bool) -> None:
        assert self._api is not None and self._forwards is not None and self._gate is not None
        shared = self._worker.shared
        try:
            destination = Destination.parse(extra)
        except RemoteProtocolError:  # what an application asked its client for need not be the client's fault
            channel.refuse(numbers.CONNECT_FAILED, Failure.UNREACHABLE.value)
            return
        if not (self._api.handshaken or shared.forwards_before_handshake):
            channel.refuse(numbers.ADMINISTRATIVELY_PROHIBITED, Failure.FORBIDDEN.value)
        elif (destination.host, destination.port) == shared.udpgw:
            if self._udpgw is not None:
                self._udpgw.close()  # its limits are the tunnel's: one at a time
            self._udpgw = UdpgwEndpoint(
                self._gate, shared.dns_server, seeding=self._seeding, record=self.record
            )
            if self.record is not None:
                self.record.udpgw_channels += 1
            _serve(channel, self._udpgw)
        else:
            self._forwards.open(channel, destination, may_split=may_split)

    @property
    def buffered(self) -> int:
        """Bytes that wait to be sent, to the client and to where its port forwards lead."""
        forwarded = self._forwards.buffered if self._forwards is not None else 0
        return self.socket.buffered + forwarded

    # ---- time -----------------------------------------------------------------------------------------

    def _time_is_up(self) -> None:
        """The handshake took too long, or this was a stranger all along: end with FIN, never with RST."""
        self.socket.finish()

    def sweep(self, elapsed: float, silence_limit: float) -> None:
        """Look after idle forwards, and after a client that has gone without saying so."""
        if self._forwards is not None:
            self._forwards.sweep(elapsed)
        if self._seeding is not None:
            self._seeding.sweep()
        if self._rules is not None:
            self._rules.sweep(self._worker.shared.clock.time())
        if self._leaving:
            self._leave()
            return
        received = self.socket.bytes_in
        if received != self._seen_bytes or self.socket.resting:
            self._seen_bytes, self._silent = received, 0.0
            return
        self._silent += elapsed
        if self.state == "tunnel" and self._silent >= silence_limit:
            self._leave()

    def _end_soon(self) -> None:
        """End the tunnel once what is being answered is."""
        asyncio.get_running_loop().call_soon(self._leave)

    def _leave(self) -> None:
        """End the tunnel; at the next look drop it, if its client does not even read that it is over."""
        if self._leaving:
            self.socket.abort()
        else:
            self._leaving = True
            self.socket.disconnect()


def _serve(channel: Channel, endpoint: RandomExchange | UdpgwEndpoint) -> None:
    """Accept a channel that we serve ourselves."""
    channel.accept(endpoint)
    endpoint.opened(channel)
