"""One tunnel, from the dial to its end: TCP, the tunnel protocol's layer, SSH, log-in, and requests.

dial ──► keys ──► logged in ──► liveness test ──► handshake ──► port forwards ... ──► lost

What of it is behind us is the tunnel's `stage`.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from headrace.base.errors import HandshakeTimeout, HeadraceError, NetworkError, RemoteProtocolError
from headrace.base.rng import Rng
from headrace.client import api
from headrace.client.liveness import LivenessResult, run_liveness
from headrace.codec.handshake_response import HandshakeResponse, decode_handshake_response
from headrace.establishment.dial_parameters import DialParameters
from headrace.establishment.stages import Stage
from headrace.net.dial import dial
from headrace.net.tunnel_socket import TunnelSocket
from headrace.net.upstream_proxy import UpstreamProxy
from headrace.ssh import numbers
from headrace.ssh.auth import ClientAuth
from headrace.ssh.channel import Channel, Endpoint
from headrace.ssh.clear import Veil
from headrace.ssh.connection import Connection
from headrace.ssh.forwarding import DIRECT_TCPIP, Destination
from headrace.ssh.shaper import ClientShaper
from headrace.ssh.transport import Role, Transport, TransportConfig
from headrace.transports import ClientSide, tunnel_protocol

__all__ = ["Tunnel"]

#: Seconds until a tunnel is ready for its handshake, and for the answer to a request: at a latency of 1.
CONNECT_TIMEOUT: Final = 20.0
REQUEST_TIMEOUT: Final = 10.0


class Tunnel:
    """A tunnel in the making, then in use. `ended` is a future that ends with the tunnel; it never raises.

    All its timeouts are longer by the factor `latency`, and by the one that was drawn for the attempt.
    `circumstances` are what the server is told of, given the seconds that dial and log-in took.
    `device` is the network interface to leave by, if there is a choice.
    """

    def __init__(
        self,
        dial_parameters: DialParameters,
        identity: api.Identity,
        rng: Rng,
        on_server_request: Callable[[bytes, memoryview], bytes | None],
        proxy: UpstreamProxy | None = None,
        *,
        device: str = "",
        latency: float = 1.0,
        circumstances: Callable[[float], api.Circumstances] | None = None,
    ) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self.dial_parameters = dial_parameters
        self.latency = latency * dial_parameters.latency_multiplier
        self.liveness: LivenessResult | None = None  #: of the test, once there was one
        self.ended: asyncio.Future[Exception | None] = loop.create_future()
        self.identity = identity
        self._rng = rng
        self._on_server_request = on_server_request
        self._proxy = proxy
        self._device = device
        self._circumstances = circumstances
        self._dial_duration = 0.0
        self._logged_in: asyncio.Future[None] = loop.create_future()
        self._socket: TunnelSocket | None = None
        self._deadline: asyncio.TimerHandle | None = None  # of the server's silence before log-in
        self._transport: Transport | None = None
        self._connection: Connection | None = None
        self._shaper: ClientShaper | None = None
        self._keyed = self._live = self._active = False

    @property
    def stage(self) -> Stage:
        """How far it has come."""
        socket = self._socket
        heard = socket is not None and socket.bytes_in > 0
        connected = self._transport is not None or (socket is not None and socket.connected) or heard
        reached = (connected, heard, self._keyed, self._connection is not None, self._live, self._active)
        behind = [stage for stage, done in zip(list(Stage)[1:], reached, strict=True) if done]
        return max(behind, default=Stage.DIALLING)

    # ---- making it ------------------------------------------------------------------------------------

    async def connect(self, patience: float = CONNECT_TIMEOUT) -> None:
        """Dial, log in, and pass the liveness test if there is one.

        Raises NetworkError or RemoteProtocolError; the tunnel is closed then. So it is if the server shows no
        sign of life for `patience` seconds: no connection, or silence before we are logged in.
        """
        parameters = self.dial_parameters
        protocol = tunnel_protocol(parameters.protocol)
        keyword = parameters.entry.ssh_obfuscated_key.encode()
        side = ClientSide(keyword, self._rng, parameters.prefix, parameters.padding, parameters.shape())
        layer = protocol.client_layer(side)
        begun = self._loop.time()
        limit, patience = CONNECT_TIMEOUT * self.latency, patience * self.latency
        try:
            async with asyncio.timeout(limit):
                self._socket = socket = TunnelSocket(layer, self)
                connect = partial(dial, device=self._device) if self._proxy is None else self._proxy.dial
                await connect(parameters.host, parameters.port, lambda: socket, min(patience, limit))
                self._listen(patience)
                await self._logged_in
                self._stop_listening()
                if parameters.liveness is not None:
                    self.liveness = await run_liveness(self, parameters.liveness, self._rng)
                self._dial_duration = self._loop.time() - begun
                self._live = True
        except TimeoutError as error:
            self.abort()
            raise HandshakeTimeout(f"not ready within {limit:.3g} s") from error
        except BaseException:
            self.abort()
            raise

    def _listen(self, patience: float) -> None:
        """End the attempt once nothing was heard for so long; log-in is question and answer throughout."""
        if self._logged_in.done() or self._socket is None:
            return
        left = patience - self.silent_for
        if left <= 0:
            self._socket.abort(HandshakeTimeout(f"the server said nothing for {patience:.3g} s"))
        else:
            self._deadline = self._loop.call_later(left, self._listen, patience)

    def _stop_listening(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    async def handshake(self) -> HandshakeResponse:
        """Introduce ourselves to the server. Raises NetworkError or RemoteProtocolError."""
        known = None if self._circumstances is None else self._circumstances(self._dial_duration)
        parameters = api.handshake_parameters(self.identity, self.dial_parameters, self._rng, known)
        payload = api.encode(self.identity, self.dial_parameters, parameters)
        reply = await self.request(b"psiphon-handshake", payload)
        if reply is None:
            raise NetworkError("the server refused the handshake")
        response = decode_handshake_response(reply)
        self._active = True
        return response

    # ---- using it -------------------------------------------------------------------------------------

    async def request(self, name: bytes, payload: bytes, timeout: float | None = None) -> bytes | None:
        """Make an API request; return the reply, None if it was refused.

        A `timeout` of one's own is taken as it is, whatever the latency.

        Raises NetworkError if the tunnel is gone, HandshakeTimeout if no answer came in time.
        """
        connection = self._connection
        if connection is None or self.ended.done():
            raise NetworkError("the tunnel is gone")
        reply: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()

        def answered(data: bytes | None) -> None:
            if not reply.done():
                reply.set_result(data)

        timeout = REQUEST_TIMEOUT * self.latency if timeout is None else timeout
        connection.request(name, payload, answered)
        if self._shaper is not None and not self._active:
            self._shaper.accompany(len(name) + len(payload))
        try:
            async with asyncio.timeout(timeout):
                answer = await reply
        except TimeoutError as error:
            raise HandshakeTimeout(f"no answer to {name.decode()} within {timeout:g} s") from error
        if answer is None and self.ended.done():
            raise NetworkError("the tunnel was lost before the answer came")
        return answer

    def open(self, destination: Destination, endpoint: Endpoint) -> Channel:
        """Open a port forward. Raises NetworkError if the tunnel is gone, or nothing has such an address."""
        if not destination.possible:
            raise NetworkError("no host has such an address")
        channel = self.open_channel(DIRECT_TCPIP, destination.encode(), endpoint)
        if self._shaper is not None:
            self._shaper.begin(channel)
        return channel

    def open_channel(self, kind: bytes, extra: bytes, endpoint: Endpoint) -> Channel:
        """Open a channel of any type. Raises NetworkError if the tunnel is gone."""
        if self._connection is None or self.ended.done():
            raise NetworkError("the tunnel is gone")
        return self._connection.open(kind, extra, endpoint)

    @property
    def bytes_transferred(self) -> tuple[int, int]:
        """Bytes sent and received on the wire so far."""
        return (self._socket.bytes_out, self._socket.bytes_in) if self._socket else (0, 0)

    @property
    def silent_for(self) -> float:
        """Seconds since the server was last heard."""
        if self._socket is None:
            return 0.0
        return asyncio.get_running_loop().time() - self._socket.last_received

    # ---- ending it ------------------------------------------------------------------------------------

    def close(self) -> None:
        """Leave politely."""
        if self._socket is not None:
            self._socket.disconnect()

    def abort(self) -> None:
        """Drop the connection."""
        if self._socket is not None:
            self._socket.abort()
        if not self.ended.done() and (self._socket is None or not self._socket.connected):
            self.ended.set_result(None)

    # ---- what the socket calls ------------------------------------------------------------------------

    def make_transport(self, wake: Callable[[], None], veil: Veil | None) -> Transport:
        parameters = self.dial_parameters
        config = TransportConfig(
            role=Role.CLIENT,
            identification=parameters.identification.encode(),
            offer=tunnel_protocol(parameters.protocol).offer,
            expected_host_key=parameters.host_key,
        )
        self._transport = transport = Transport(config, self._rng, wake, veil)
        transport.ready = self._log_in
        transport.disconnected = self._on_disconnect
        return transport

    def connected(self) -> None:
        """It was our own doing."""

    def admit(self, proceed: Callable[[], None]) -> bool:
        return True

    def refused(self, reason: str) -> None:
        """Never called: layers refuse on servers only."""

    def lost(self, error: Exception | None) -> None:
        self._stop_listening()
        if self._connection is not None:
            self._connection.lost(error or NetworkError("the tunnel was closed"))
        if not self._logged_in.done():
            self._logged_in.set_exception(error or NetworkError("the server closed the connection"))
            self._logged_in.exception()  # seen: whoever waits for it gets it all the same
        if not self.ended.done():
            self.ended.set_result(error)

    def _log_in(self) -> None:
        assert self._transport is not None
        self._keyed = True
        secret = api.password(self.identity, self.dial_parameters)
        ClientAuth(self._transport, self.dial_parameters.entry.ssh_username, secret, self._on_login)

    def _on_login(self, success: bool) -> None:
        if not success:
            raise RemoteProtocolError("the server refused the password", numbers.NO_MORE_AUTH_METHODS)
        assert self._transport is not None and self._socket is not None
        self._connection = Connection(self._transport, _refuse_channel, self._on_server_request)
        self._socket.block = self._connection.block
        if (policy := self.dial_parameters.shaping) is not None:
            self._shaper = ClientShaper(self._transport, policy)
        if not self._logged_in.done():
            self._logged_in.set_result(None)

    def _on_disconnect(self, code: int, text: str) -> None:
        error: HeadraceError = NetworkError(f"the server disconnected, code {code}")
        if self._socket is not None:
            self._socket.leave(error)


def _refuse_channel(channel: Channel, kind: bytes, extra: memoryview) -> None:
    """Servers have no business opening channels to clients."""
    channel.refuse(numbers.ADMINISTRATIVELY_PROHIBITED, "")
