"""One client's tunnel on the server: from the accepted connection to its end.

accepted ──► preamble checked ──► keys ──► password ──► API handshake ──► port forwards
    ├─ stranger who speaks HTTP, where there is a front: led to the web server
    └─ stranger: read and discard until the handshake's time is up, then close
"""

import asyncio
import hmac
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from headrace.documents.traffic_rules import ClientTraits
from headrace.net.tunnel_socket import TunnelSocket
from headrace.obfuscation.server import RejectReason
from headrace.server.client_rules import ClientRules
from headrace.server.client_tunnel import ClientTunnel
from headrace.server.front import FrontedLayer
from headrace.server.login import Login, read_login
from headrace.server.origin import UNKNOWN_ORIGIN, Origin
from headrace.server.rates import Rates
from headrace.server.stats.tunnel_record import TunnelRecord
from headrace.ssh.auth import ServerAuth
from headrace.ssh.clear import Veil
from headrace.ssh.transport import Role, Transport, TransportConfig
from headrace.transports import ServerSide, TunnelProtocol

if TYPE_CHECKING:
    from headrace.server.worker import Worker

__all__ = ["Session"]

_log = logging.getLogger(__name__)

#: Part of the time for a log-in that a client may leave between its prefix and the rest of its preamble, when
#: strangers who speak HTTP are led to a web server: what is no client's then is theirs.
FRONT_WAIT: Final = 0.1


class Session:
    """The owner of one tunnel socket."""

    def __init__(self, worker: "Worker", protocol: TunnelProtocol) -> None:
        self._worker = worker
        self._protocol = protocol
        shared = worker.shared
        self._patience = shared.patience.draw(shared.rng)
        layer = protocol.server_layer(
            ServerSide(
                shared.keyword,
                shared.rng,
                shared.prefixes,
                shared.seen,
                shared.config.padding,
                shared.clock.time(),
            )
        )
        self._fronted: FrontedLayer | None = None
        if worker.front is not None and protocol.hide_lengths:
            layer = self._fronted = FrontedLayer(layer, worker.front, self, FRONT_WAIT * self._patience)
        self.socket: TunnelSocket = TunnelSocket(layer, self)
        self.socket.stay = self._peer_left
        self._transport: Transport | None = None
        self._rules: ClientRules | None = None
        self._rates = Rates(self.socket, lambda: self.end_soon("exhausted"))
        self.origin: Origin = UNKNOWN_ORIGIN
        self.login: Login = Login()
        self.tunnel: ClientTunnel | None = None  #: once the client is logged in
        self._seen_bytes = 0
        self._silent = 0.0
        self._leaving = False
        self._began = asyncio.get_running_loop().time()
        self.state = "handshake"  #: handshake, refused, tunnel, visit
        self._deadline = asyncio.get_running_loop().call_later(self._patience, self.finish)

    @property
    def protocol_name(self) -> str:
        """The tunnel protocol's name."""
        return self._protocol.name

    @property
    def parameters(self) -> Mapping[str, object]:
        """What the client said in its handshake; nothing before that."""
        return self.tunnel.api.parameters if self.tunnel is not None else {}

    @property
    def access_types(self) -> Sequence[str]:
        """What the client is authorized for."""
        return self._rules.access_types if self._rules is not None else ()

    @property
    def tag_checks(self) -> Mapping[str, int]:
        """How many servers the client asked about: requests, checked, invalid; empty if it never did."""
        return self.tunnel.api.tag_checks if self.tunnel is not None else {}

    @property
    def record(self) -> TunnelRecord | None:
        """What the tunnel has carried so far."""
        return self.tunnel.record if self.tunnel is not None else None

    @property
    def buffered(self) -> int:
        """Bytes that wait to be sent, to the client and to where its port forwards lead."""
        return self.socket.buffered + (self.tunnel.buffered if self.tunnel is not None else 0)

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

    def led_on(self, reason: str) -> None:
        """The connection is a visitor's, and no longer ours."""
        self.state = "visit"
        if reason and reason != RejectReason.NO_TERMINATOR.value:  # which is what every long upload is
            self._worker.stats.refused(self, reason)
        self.lost(None)

    def lost(self, error: Exception | None) -> None:
        self._deadline.cancel()
        if self._fronted is not None:
            self._fronted.forget()
        tunnel = self.tunnel
        if tunnel is not None:
            tunnel.lost(error)
            self._worker.stats.ended(self, tunnel.record, self._age)
            tunnel.close()
            self._worker.clients.left(self.login.session_id, self)
        elif self.state == "handshake":
            late = self._age >= self._patience
            self._worker.stats.failed("timeout" if late else "lost")
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
        self.login = login = read_login(text)
        # JSON can spell half a surrogate pair, which no encoder takes as it is.
        same_user = hmac.compare_digest(user.encode(), shared.user.encode())
        same_password = hmac.compare_digest(
            login.password.encode("utf-8", "surrogatepass"), shared.password.encode()
        )
        return same_user and same_password

    def _logged_in(self) -> None:
        assert self._transport is not None and self._rules is not None
        self._deadline.cancel()
        self._worker.logged_in(self)
        self.state = "tunnel"
        first = self._worker.clients.arrived(self.login.session_id, self)
        self._rules.logged_in(self.login.session_id, first_tunnel=first)
        record = self._worker.stats.begun(self, self._age, first=first)
        self.tunnel = ClientTunnel(self, self._worker, self._rules, self._transport, record)

    # ---- the tunnel -----------------------------------------------------------------------------------

    def greeted(self) -> None:
        """The handshake is done: what counts begins now."""
        self._rates.begin()
        self._limits_changed()

    def _limits_changed(self) -> None:
        assert self._rules is not None
        self._rates.change(self._rules.limits)
        if self.tunnel is not None:
            self.tunnel.limit(self._rules.limits)

    def reload(self) -> None:
        """Go by other files than before."""
        if self._rules is not None:
            self._rules.reload(self._worker.shared.rules)
        if self.tunnel is not None:
            self.tunnel.reload()

    def reseed(self) -> None:
        """The configuration of obfuscated lists is another."""
        if self.tunnel is not None:
            self.tunnel.reseed()

    def superseded(self) -> None:
        """The client has a newer tunnel: this one leads nowhere."""
        self._worker.counts["closed.superseded"] += 1
        self.socket.abort()

    # ---- time -----------------------------------------------------------------------------------------

    def finish(self) -> None:
        """The handshake took too long, or this was a stranger all along: end with FIN, never with RST."""
        shared = self._worker.shared
        self.socket.finish(shared.patience.grace(shared.rng))

    def _peer_left(self) -> bool:
        """A stranger's FIN is answered a moment later, unless it leads him on."""
        if self._transport is not None and self.state != "refused":
            return False
        if self._fronted is None or not self._fronted.finished():
            self.linger()
        return True

    def linger(self) -> None:
        """Close in a moment: how long we work at what a stranger sent would tell of it."""
        shared = self._worker.shared
        asyncio.get_running_loop().call_later(shared.patience.linger(shared.rng), self.socket.close)

    def sweep(self, elapsed: float, silence_limit: float) -> None:
        """Look after idle forwards, and after a client that has gone without saying so."""
        if self.tunnel is not None:
            self.tunnel.sweep(elapsed)
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
            self.end_soon("silent")

    def end_soon(self, reason: str) -> None:
        """End the tunnel once what is being answered is."""
        self._worker.counts[f"closed.{reason}"] += 1
        asyncio.get_running_loop().call_soon(self._leave)

    def _leave(self) -> None:
        """End the tunnel; at the next look drop it, if its client does not even read that it is over."""
        if self._leaving:
            self.socket.abort()
        else:
            self._leaving = True
            self.socket.disconnect()
