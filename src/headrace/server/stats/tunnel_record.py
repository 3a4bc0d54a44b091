"""What is known of one tunnel when it ends: the numbers of `server_tunnel`."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import Final

from headrace.net.addresses import Address
from headrace.server.stats.event_log import COARSE
from headrace.server.stats.traffic import Flow, Traffic

__all__ = ["Carried", "RandomStreams", "TunnelRecord"]

_GRAIN: Final = COARSE["server_tunnel"]


@dataclass(slots=True)
class RandomStreams:
    """The liveness tests there were, and the bytes asked for in them."""

    count: int = 0
    up: int = 0
    down: int = 0

    def opened(self, up: int, down: int) -> None:
        """There is one more, for so many bytes each way."""
        self.count += 1
        self.up += up
        self.down += down

    def fields(self, prefix: str) -> dict[str, object]:
        """Return what there is to say of them; nothing if there were none."""
        numbers = {"count": self.count, "upstream_bytes": self.up, "downstream_bytes": self.down}
        return {f"{prefix}_{name}": number for name, number in numbers.items()} if self.count else {}


@dataclass(slots=True)
class TunnelRecord:
    """Of a tunnel whose client has logged in. The sessions, forwards and channels count; nobody else does."""

    session_id: str  #: random, and this tunnel's only
    start: float  #: seconds since 1970
    is_first: bool = True  #: of its client's session
    tcp: Traffic = field(default_factory=Traffic)
    udp: Traffic = field(default_factory=Traffic)
    domains: int = 0  #: port forwards to names
    dialing: int = 0  #: port forwards that are being connected
    peak_dialing: int = 0
    udpgw_channels: int = 0
    listed: int = 0  #: hits on block lists that were told
    early_streams: RandomStreams = field(default_factory=RandomStreams)  #: before the handshake
    streams: RandomStreams = field(default_factory=RandomStreams)
    _asn: Callable[[str], str] | None = None
    _by_asn: dict[str, tuple[Traffic, Traffic]] = field(default_factory=dict)  # TCP, UDP

    def watch(self, asns: Iterable[str], asn: Callable[[str], str]) -> None:
        """Count what goes to these networks by itself. `asn` says in which network an address is."""
        self._asn = asn
        self._by_asn = {each: (Traffic(), Traffic()) for each in asns}

    def dials(self, count: int) -> None:
        """So many port forwards are being connected now."""
        self.dialing = count
        self.peak_dialing = max(self.peak_dialing, count)

    def opened_tcp(self, flow: Flow, address: Address | str, *, named: bool) -> None:
        """There is a port forward to this address, which the client had the name of or not."""
        self.tcp.opened(flow)
        self.domains += named
        if self._asn is not None and (traffic := self._by_asn.get(self._asn(str(address)))):
            traffic[0].opened(flow)

    def opened_udp(self, flow: Flow, address: str) -> None:
        """There is a UDP flow to this address."""
        self.udp.opened(flow)
        if self._asn is not None and (traffic := self._by_asn.get(self._asn(address))):
            traffic[1].opened(flow)

    def closed(self, flow: Flow) -> None:
        """One of them has ended."""
        self.tcp.closed(flow)
        self.udp.closed(flow)
        for traffic in self._by_asn.values():
            traffic[0].closed(flow)
            traffic[1].closed(flow)

    def close(self) -> None:
        """The tunnel has ended: let go of all there was."""
        for traffic in (self.tcp, self.udp, *chain.from_iterable(self._by_asn.values())):
            traffic.close()

    def destinations(self) -> Iterator[tuple[str, int, int]]:
        """Say of each network that is watched how many bytes went there and back, by TCP and by UDP."""
        for asn, (tcp, udp) in self._by_asn.items():
            yield asn, tcp.up + tcp.down, udp.up + udp.down

    def fields(self, duration: float, wire_bytes: int, *, handshaken: bool) -> dict[str, object]:
        """Return the event's fields. The duration is seconds; `wire_bytes` went through the connection."""
        start = datetime.fromtimestamp(self.start // _GRAIN * _GRAIN, UTC)
        up, down, udp_up, udp_down = self.tcp.up, self.tcp.down, self.udp.up, self.udp.down
        total = up + down + udp_up + udp_down
        fields: dict[str, object] = {
            "session_id": self.session_id,
            "handshake_completed": handshaken,
            "is_first_tunnel_in_session": self.is_first,
            "start_time": start.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "duration": int(duration * 1000),
            "bytes": total,
            "ssh_protocol_bytes": wire_bytes,
            "ssh_protocol_bytes_overhead": wire_bytes - total,
            **self.early_streams.fields("pre_handshake_random_stream"),
            **self.streams.fields("random_stream"),
        }
        if handshaken:
            fields |= {
                "bytes_up_tcp": up,
                "bytes_down_tcp": down,
                "peak_concurrent_dialing_port_forward_count_tcp": self.peak_dialing,
                "peak_concurrent_port_forward_count_tcp": self.tcp.peak,
                "total_port_forward_count_tcp": self.tcp.total,
                "total_domain_port_forward_count_tcp": self.domains,
                "bytes_up_udp": udp_up,
                "bytes_down_udp": udp_down,
                "peak_concurrent_port_forward_count_udp": self.udp.peak,
                "total_port_forward_count_udp": self.udp.total,
                "total_udpgw_channel_count": self.udpgw_channels,
            }
        return fields


@dataclass(slots=True)
class Carried:
    """What several tunnels carried together."""

    received: int = 0  #: bytes as on the wire
    sent: int = 0
    tcp_up: int = 0
    tcp_down: int = 0
    tcp_forwards: int = 0
    udp_up: int = 0
    udp_down: int = 0
    udp_forwards: int = 0

    def add(self, record: TunnelRecord, received: int, sent: int) -> None:
        """Add what one carried."""
        tcp, udp = record.tcp, record.udp
        self.received += received
        self.sent += sent
        self.tcp_up += tcp.up
        self.tcp_down += tcp.down
        self.tcp_forwards += tcp.total
        self.udp_up += udp.up
        self.udp_down += udp.down
        self.udp_forwards += udp.total

    @property
    def counts(self) -> dict[str, int]:
        """Return what to count of it."""
        return {
            "bytes.tunnel_up": self.received,
            "bytes.tunnel_down": self.sent,
            "bytes.tcp_up": self.tcp_up,
            "bytes.tcp_down": self.tcp_down,
            "bytes.udp_up": self.udp_up,
            "bytes.udp_down": self.udp_down,
            "forward.tcp": self.tcp_forwards,
            "forward.udp": self.udp_forwards,
        }
