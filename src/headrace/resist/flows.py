"""Captured packets as flows: who sent what to whom, in which pieces and when.

A flow is one TCP connection. Its segments are payloads as they were first sent, in the order in which they
were captured; what was sent again is left out. The client is who sent the first SYN.
"""

import ipaddress
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

__all__ = ["Flow", "Sample", "Segment", "read_flows"]

_MAGICS: Final = {b"\xd4\xc3\xb2\xa1": ("<", 1e-6), b"\x4d\x3c\xb2\xa1": ("<", 1e-9)}
_GLOBAL_HEADER: Final = 24
_RECORD_HEADER: Final = 16
_ETHERNET: Final = 1
_ETHERNET_HEADER: Final = 14
_IPV4, _IPV6, _TCP = 0x0800, 0x86DD, 6
_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16
_HALF: Final = 1 << 31


@dataclass(frozen=True, slots=True)
class Segment:
    """A payload on its way. `time` is in seconds since 1970, `up` is towards the server."""

    time: float
    up: bool
    payload: bytes


@dataclass(slots=True)
class Flow:
    """One connection. `endings` are the FIN and RST there were: when, which way, and "fin" or "rst"."""

    client: tuple[str, int]  #: address and port
    server: tuple[str, int]
    began: float  #: of the SYN, in seconds since 1970
    segments: list[Segment] = field(default_factory=list)
    endings: list[tuple[float, bool, str]] = field(default_factory=list)

    @property
    def sizes(self) -> list[int]:
        """Sizes of the payloads in order, those from the server negative."""
        return [len(segment.payload) if segment.up else -len(segment.payload) for segment in self.segments]

    def first(self, *, up: bool) -> bytes:
        """Return the first payload of a direction, b"" if there is none."""
        return next((segment.payload for segment in self.segments if segment.up == up), b"")

    def stream(self, *, up: bool) -> bytes:
        """Return all that was sent one way."""
        return b"".join(segment.payload for segment in self.segments if segment.up == up)


@dataclass(frozen=True, slots=True)
class Sample:
    """Connections of one kind. `http` says that they are to pass for HTTP, `framed` that to the end."""

    pcap: Path
    flows: Sequence[Flow]
    http: bool = False
    framed: bool = False


def read_flows(path: Path, ports: Sequence[int] = ()) -> list[Flow]:
    """Return the flows of a capture (pcap, Ethernet framing as on the loopback interface), oldest first.

    With `ports`, those to one of these server ports only. Connections that began before the capture did are
    left out. Raises ValueError for what is no such file; a packet that is cut off at the end ends it.
    """
    wanted = frozenset(ports)
    flows: dict[tuple[bytes, int, bytes, int], tuple[Flow, list[int | None]]] = {}
    order = []
    for time, packet in _packets(path.read_bytes()):
        parsed = _tcp(packet)
        if parsed is None:
            continue
        source, sport, target, dport, sequence, flags, payload = parsed
        key = (source, sport, target, dport)
        if flags & _SYN and not flags & _ACK:
            if wanted and dport not in wanted:
                continue
            known = flows.get(key)
            if known is not None and not known[0].segments:
                continue  # the SYN again
            flow = Flow((_text(source), sport), (_text(target), dport), time)
            flows[key] = flow, [(sequence + 1) & 0xFFFF_FFFF, None]
            order.append(flow)
            continue
        up = key in flows
        entry = flows.get(key if up else (target, dport, source, sport))
        if entry is None:
            continue
        flow, expected = entry
        way = 0 if up else 1
        if flags & _SYN:
            expected[way] = (sequence + 1) & 0xFFFF_FFFF
            continue
        if payload:
            if (nxt := expected[way]) is not None:
                ahead = (sequence - nxt) & 0xFFFF_FFFF
                if ahead >= _HALF:  # some or all of it came before
                    payload = payload[0x1_0000_0000 - ahead :]
                    sequence = nxt
            if payload:
                flow.segments.append(Segment(time, up, payload))
                expected[way] = (sequence + len(payload)) & 0xFFFF_FFFF
        for flag, name in ((_FIN, "fin"), (_RST, "rst")):
            if flags & flag:
                flow.endings.append((time, up, name))
    return order


def _packets(data: bytes) -> Iterator[tuple[float, bytes]]:
    if data[:4] not in _MAGICS or len(data) < _GLOBAL_HEADER:
        raise ValueError("this is no pcap file of this machine's byte order")
    order, unit = _MAGICS[data[:4]]
    if struct.unpack_from(order + "I", data, 20)[0] & 0xFFFF != _ETHERNET:
        raise ValueError("the capture is not of an interface with Ethernet framing: capture on lo")
    record = struct.Struct(order + "IIII")
    offset = _GLOBAL_HEADER
    while offset + _RECORD_HEADER <= len(data):
        seconds, fraction, kept, _ = record.unpack_from(data, offset)
        offset += _RECORD_HEADER
        if offset + kept > len(data):
            return
        yield seconds + fraction * unit, data[offset : offset + kept]
        offset += kept


def _tcp(packet: bytes) -> tuple[bytes, int, bytes, int, int, int, bytes] | None:
    """Return source, port, target, port, sequence number, flags and payload, None for what is no TCP."""
    if len(packet) < _ETHERNET_HEADER:
        return None
    kind = int.from_bytes(packet[12:14], "big")
    ip = packet[_ETHERNET_HEADER:]
    if kind == _IPV4 and len(ip) >= 20 and ip[9] == _TCP:
        start, end = 4 * (ip[0] & 15), int.from_bytes(ip[2:4], "big")
        source, target = ip[12:16], ip[16:20]
    elif kind == _IPV6 and len(ip) >= 40 and ip[6] == _TCP:
        start, end = 40, 40 + int.from_bytes(ip[4:6], "big")
        source, target = ip[8:24], ip[24:40]
    else:
        return None
    if end <= start:  # too large for the field: offloaded segments have no length
        end = len(ip)
    tcp = ip[start:end]
    if len(tcp) < 20:
        return None
    sport, dport, sequence = struct.unpack_from("!HHI", tcp)
    return source, sport, target, dport, sequence, tcp[13], tcp[4 * (tcp[12] >> 4) :]


def _text(address: bytes) -> str:
    return str(ipaddress.ip_address(address))
