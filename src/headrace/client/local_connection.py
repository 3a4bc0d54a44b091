"""An application's connection to one of the local proxies, until its port forward is open.

negotiating ──► opening (the tunnel is asked) ──► handed to a Relay, which keeps the socket
                  │   └─ refused, or too slow: an answer in the proxy's own terms, then closed
                  └─ not to be tunnelled: dialled from here, and joined with that connection
"""

import asyncio
from abc import abstractmethod
from typing import Final, Protocol, cast

from headrace.base.errors import NetworkError
from headrace.client.proxy_options import PRIVATE, ProxyOptions
from headrace.client.split_tunnel import SplitTunnel
from headrace.client.udp import Udp
from headrace.net.http import Connector
from headrace.net.relay import Relay
from headrace.net.scratch import Scratch
from headrace.net.streams import SocketStream, join
from headrace.ssh import numbers
from headrace.ssh.channel import Channel, Endpoint
from headrace.ssh.forwarding import Destination, Failure

__all__ = ["LocalConnection", "PortForwarder"]

#: Seconds for the application to say what it wants, and for the server to open the port forward.
NEGOTIATION_TIMEOUT: Final = 5.0
OPEN_TIMEOUT: Final = 10.0
#: Payload that an application may send ahead of our answer before it is made to wait.
MAX_EARLY: Final = 64 * 1024

_SCRATCH: Final = Scratch(MAX_EARLY)


class PortForwarder(Protocol):
    """Where port forwards are opened. `loop` is the one that everything runs on."""

    loop: asyncio.AbstractEventLoop
    connect_directly: Connector  #: past the tunnel, as tunnels themselves are dialled
    udp: Udp  #: the way for datagrams

    @property
    def split(self) -> SplitTunnel | None:
        """What is not tunnelled, if anything."""
        ...

    def open_forward(self, destination: Destination, endpoint: Endpoint) -> Channel:
        """Ask for a port forward; the endpoint hears the outcome. Raises NetworkError without a tunnel."""
        ...

    def forward_failed(self) -> None:
        """A port forward failed or was too slow; that may be the tunnel's fault."""
        ...

    def make_relay(self) -> Relay:
        """Return the relay for a port forward that is open now."""
        ...


class LocalConnection(asyncio.BufferedProtocol):
    """Base of the proxies' connections: a subclass negotiates and words the answers.

    A buffered protocol like the relay that follows it: uvloop would keep one of the other kind alive as long
    as the socket, for the method it had bound.
    """

    def __init__(self, forwarder: PortForwarder, options: ProxyOptions = PRIVATE) -> None:
        self._forwarder = forwarder
        self._options = options
        self._destination: Destination | None = None
        self._directly: asyncio.Task[None] | None = None
        self._early = b""
        self._opening = False
        self._finished = False  # the application says no more
        self._gone = False
        # One timer for both phases: it is set anew only if the first runs out.
        self._loop = loop = forwarder.loop
        self._deadline = loop.time() + NEGOTIATION_TIMEOUT
        self._timer = loop.call_at(self._deadline, self._timed_out)

    # ---- for the subclass -----------------------------------------------------------------------------

    @abstractmethod
    def negotiate(self, data: bytes) -> None:
        """Take what the application says; end with `open` or `end`."""

    @abstractmethod
    def success(self) -> bytes:
        """Return the answer to an opened port forward."""

    @abstractmethod
    def failure(self, why: Failure) -> bytes:
        """Return the answer to a failed one."""

    def open(self, destination: Destination, first: bytes) -> None:
        """Open a port forward; `first` is payload that came along with the request."""
        self._deadline = self._loop.time() + OPEN_TIMEOUT
        self._opening = True
        self._early = first
        self._destination = destination
        split = self._forwarder.split
        if split is not None and split.bypasses(destination):
            self._go_directly(split, destination)
        elif not destination.possible:
            self.end(self.failure(Failure.UNREACHABLE))
        else:
            try:
                self._forwarder.open_forward(destination, self)
            except NetworkError:
                self.end(self.failure(Failure.NO_TUNNEL))

    def write(self, data: bytes) -> None:
        """Answer the application."""
        self._tcp.write(data)

    def end(self, answer: bytes = b"") -> None:
        """Answer and close."""
        self._gone = True
        self._timer.cancel()
        if answer:
            self._tcp.write(answer)
        self._tcp.close()

    def hand_over(self, protocol: asyncio.BaseProtocol) -> asyncio.Transport:
        """Give the socket to another protocol; this object is done with it."""
        self._gone = True
        self._timer.cancel()
        self._tcp.set_protocol(protocol)
        return self._tcp

    # ---- the socket's side ----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._tcp = cast("asyncio.Transport", transport)
        self._options.connections.add(self._tcp)

    def get_buffer(self, sizehint: int) -> memoryview:
        return _SCRATCH.view

    def buffer_updated(self, nbytes: int) -> None:
        if self._gone:
            return
        data = bytes(_SCRATCH.view[:nbytes])
        if not self._opening:
            self.negotiate(data)
            return
        self._early += data
        if len(self._early) >= MAX_EARLY:
            self._tcp.pause_reading()

    def eof_received(self) -> bool:
        self._finished = True
        return self._opening and not self._gone  # a half-closed application still wants the answer

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone = True
        self._timer.cancel()
        if self._directly is not None:
            self._directly.cancel()

    # ---- the channel's side ---------------------------------------------------------------------------

    def opened(self, channel: Channel) -> None:
        self._timer.cancel()
        if self._gone:
            channel.close()
            return
        relay = channel.endpoint = self._forwarder.make_relay()
        self._tcp.write(self.success())
        self._tcp.set_protocol(relay)
        if len(self._early) >= MAX_EARLY:
            self._tcp.resume_reading()
        relay.attach(channel, self._tcp, self._early)
        if self._finished:
            relay.eof_received()

    def refused(self, reason: int, text: str) -> None:
        split, destination = self._forwarder.split, self._destination
        if reason != numbers.SPLIT_TUNNEL:
            self._forwarder.forward_failed()
        elif split is not None and destination is not None and split.told(destination):
            if not self._gone:
                self._go_directly(split, destination)
            return
        if not self._gone:
            self.end(self.failure(Failure.of_refusal(text)))

    def closed(self, error: Exception | None) -> None:
        if not self._gone:
            self.end(self.failure(Failure.NO_TUNNEL))

    def data(self, view: memoryview) -> None:
        """Not before the channel is open; then the relay is the endpoint."""

    pause = writable = eof = lambda self: None  # the same

    # ---- past the tunnel ------------------------------------------------------------------------------

    def _go_directly(self, split: SplitTunnel, destination: Destination) -> None:
        self._timer.cancel()
        self._directly = self._loop.create_task(self._join(split, destination))

    async def _join(self, split: SplitTunnel, destination: Destination) -> None:
        try:
            far = await split.connect(destination, OPEN_TIMEOUT)
        except NetworkError as error:
            self.end(self.failure(Failure.of_error(error)))
            return
        self._tcp.write(self.success())
        assert self._directly is not None
        near = _Application(self._directly)
        self.hand_over(near)
        near.connection_made(self._tcp)
        if self._early:
            near.data_received(self._early)
        if len(self._early) >= MAX_EARLY:
            self._tcp.resume_reading()
        if self._finished:
            near.eof_received()
        await join(near, far)

    # ---- time -----------------------------------------------------------------------------------------

    def _timed_out(self) -> None:
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._timed_out)
        elif self._opening:
            self._forwarder.forward_failed()
            self.end(self.failure(Failure.TIMED_OUT))
        else:
            self.end()


class _Application(SocketStream):
    """The application's end of a connection past the tunnel; once it is gone there is nobody to serve."""

    def __init__(self, service: asyncio.Task[None]) -> None:
        super().__init__()
        self._service = service

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._service.cancel()
