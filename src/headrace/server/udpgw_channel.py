"""UDP for one client: the server's end of a udpgw channel (tunnel spec §7).

    channel ──► frames ──► flow by connection id ──► destination
       ▲                                                 │
       └──────── the id and the address again ◄──────────┘

udpgw has no way to say no, so what is not allowed or does not fit is dropped, as a network would. A few
replies wait for room in the channel, so that they get through beside a big transfer.
"""

import asyncio
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from typing import Final, Protocol

from headrace.base.errors import RemoteProtocolError
from headrace.codec.udpgw import MAX_DATAGRAM, Frame, UdpgwDecoder, encode_datagram, encode_head
from headrace.net.datagram_queue import DatagramQueue
from headrace.net.resolve import system_name_servers
from headrace.net.udp_flow import UdpFlow
from headrace.server.gate import Gate
from headrace.server.osl_seeding import Seeding
from headrace.server.stats.tunnel_record import TunnelRecord
from headrace.ssh.channel import Channel

__all__ = ["UdpgwEndpoint"]

_DNS_PORT: Final = 53
#: Bounds where the traffic rules set none: flows, and seconds without a datagram.
_MAX_FLOWS: Final = 2048
_MAX_IDLE: Final = 300.0
#: Replies of one flow that may wait for room, and bytes of all of them.
_SHARE: Final = 64
MAX_WAITING: Final = 256 * 1024


class Flow(Protocol):
    """What a flow to a destination must do."""

    def send(self, datagram: bytes) -> None: ...
    def close(self) -> None: ...


OpenFlow = Callable[[str, int, Callable[[bytes], None]], Flow]


@dataclass(slots=True, eq=False)
class _Entry:
    number: int
    destination: tuple[bytes, int, bool]  # address, port, and whether it stands for our own name server
    head: bytes  # of replies
    flow: Flow
    last_used: float = 0.0
    bytes_in: int = 0  # of datagrams from the destination
    bytes_out: int = 0
    waiting: int = 0  # replies in the queue


class UdpgwEndpoint:
    """The endpoint of a udpgw channel.

    `dns_server` is where DNS goes that the client leaves to us, "" for the system's name servers. `record` is
    told of flows, `seeding` of all but such DNS. `open_flow` and `loop` are the sockets and the time.
    """

    def __init__(
        self,
        gate: Gate,
        dns_server: str = "",
        *,
        seeding: Seeding | None = None,
        record: TunnelRecord | None = None,
        open_flow: OpenFlow = UdpFlow,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.dropped = 0  #: datagrams that went nowhere, either way
        self._gate = gate
        # In turn, so that whoever asks again need not ask one that is dead.
        self._dns_servers = cycle([dns_server] if dns_server else system_name_servers())
        self._seeding = seeding
        self._record = record
        self._open_flow = open_flow
        self._loop = loop or asyncio.get_running_loop()
        self._decoder = UdpgwDecoder()
        self._replies = DatagramQueue(_SHARE, MAX_WAITING)
        self._flows: dict[int, _Entry] = {}  # by connection id, least recently used first
        self._timer: asyncio.TimerHandle | None = None
        self._channel: Channel | None = None

    # ---- the channel's side ---------------------------------------------------------------------------

    def opened(self, channel: Channel) -> None:
        self._channel = channel
        self._replies.attach(channel)

    def refused(self, reason: int, text: str) -> None:
        """The client asked for this channel, so nobody can refuse it to us."""

    def data(self, view: memoryview) -> None:
        try:
            frames = self._decoder.receive(view)
        except RemoteProtocolError:
            self.close()
            return
        for frame in frames:
            self._forward(frame)

    def pause(self) -> None:
        """Replies wait from now on."""

    def writable(self) -> None:
        self._replies.flush()

    def eof(self) -> None:
        self.close()

    def closed(self, error: Exception | None) -> None:
        self._channel = None
        self._replies.detach()
        self._replies.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._flows:
            self._drop_oldest()

    def close(self) -> None:
        """End the channel and all flows."""
        channel = self._channel
        if channel is not None:
            self.closed(None)
            channel.close()

    # ---- up -------------------------------------------------------------------------------------------

    def _forward(self, frame: Frame) -> None:
        if self._channel is None:
            return
        if (frame.dns or frame.port == _DNS_PORT) and not self._gate.question(frame.datagram):
            self.dropped += 1
            return
        destination = (frame.address, frame.port, frame.dns)
        entry = self._flows.pop(frame.connection_id, None)
        if entry is not None and (frame.rebind or entry.destination != destination):
            self._close(entry)
            entry = None
        if entry is None:
            entry = self._open(frame)
        if entry is None:
            self.dropped += 1
            return
        entry.last_used = self._loop.time()
        self._flows[frame.connection_id] = entry  # at the end: most recently used
        entry.bytes_out += len(frame.datagram)
        entry.flow.send(frame.datagram)

    def _open(self, frame: Frame) -> _Entry | None:
        place = self._place(frame)
        if place is None:
            return None
        while len(self._flows) >= (self._gate.limits.max_udp or _MAX_FLOWS):
            self._drop_oldest()
        try:
            flow = self._open_flow(*place, lambda datagram: self._reply(entry, datagram))
        except OSError:
            return None
        number, address, port = frame.connection_id, frame.address, frame.port
        entry = _Entry(number, (address, port, frame.dns), encode_head(number, address, port), flow)
        if self._timer is None:
            self._timer = self._loop.call_later(self._max_idle, self._expire)
        if self._seeding is not None and not frame.dns:
            self._seeding.opened(entry, ipaddress.ip_address(address))
        if self._record is not None:
            self._record.opened_udp(entry, place[0])
        return entry

    def _place(self, frame: Frame) -> tuple[str, int] | None:
        """Return where the datagram may go. Our own name server is exempt from the rules, at its one port."""
        if frame.dns:
            server = next(self._dns_servers, "")
            return (server, _DNS_PORT) if server else None
        host, port = frame.host, frame.port
        address = self._gate.address(host) if port > 0 else None
        if address is None:
            return None
        if not self._gate.udp(address, port):
            self._gate.refused("udp")
            return None
        return host, port

    # ---- down -----------------------------------------------------------------------------------------

    def _reply(self, entry: _Entry, datagram: bytes) -> None:
        if self._flows.get(entry.number) is not entry:
            return
        entry.last_used = self._loop.time()
        entry.bytes_in += len(datagram)
        self._flows[entry.number] = self._flows.pop(entry.number)
        fits = len(datagram) <= MAX_DATAGRAM
        if not (fits and self._replies.put(entry, encode_datagram(entry.head, datagram))):
            self.dropped += 1

    # ---- time -----------------------------------------------------------------------------------------

    def _expire(self) -> None:
        """Close what has been idle too long, and look again when the next one may have been."""
        self._timer = None
        deadline = self._loop.time() - self._max_idle
        while self._flows and self._oldest().last_used <= deadline:
            self._drop_oldest()
        if self._flows:
            self._timer = self._loop.call_later(self._oldest().last_used - deadline, self._expire)

    @property
    def _max_idle(self) -> float:
        return self._gate.limits.idle_udp_timeout or _MAX_IDLE

    def _oldest(self) -> _Entry:
        return next(iter(self._flows.values()))

    def _drop_oldest(self) -> None:
        self._close(self._flows.pop(next(iter(self._flows))))

    def _close(self, entry: _Entry) -> None:
        entry.flow.close()
        if self._seeding is not None:
            self._seeding.closed(entry)
        if self._record is not None:
            self._record.closed(entry)
