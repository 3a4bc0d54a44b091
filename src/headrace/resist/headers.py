"""Captures of which only the packets' headers were kept: all that an observer of sizes needs.

    async with capture(file, ports, kept=HEADERS):
        ...
    for flow in read_sizes(file, ports): ...

One of 10,000 downloads is then some tens of megabytes.
"""

import struct
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

__all__ = ["HEADERS", "SizedFlow", "read_sizes"]

#: Bytes kept of a packet: Ethernet, IPv4 and TCP with all options.
HEADERS: Final = 14 + 20 + 60

_FILE_HEADER: Final = 24
_PACKET: Final = struct.Struct("<8xI4x")
_TOTAL_LENGTH: Final = struct.Struct(">2xH")
_PORTS_AND_SEQUENCE: Final = struct.Struct(">HHI")
_SYN: Final = 0x02


@dataclass(slots=True)
class SizedFlow:
    """A connection's server port, and the signed sizes of its segments with payload, in order."""

    port: int
    sizes: list[int] = field(default_factory=list)


def read_sizes(file: Path, ports: Collection[int]) -> list[SizedFlow]:
    """Return the connections to `ports` that a capture has from their beginning on, in order of that."""
    capture = file.read_bytes()
    flows: dict[tuple[int, int], SizedFlow] = {}
    expected: dict[tuple[int, int], int] = {}
    found = []
    place = _FILE_HEADER
    while place + _PACKET.size <= len(capture):
        (length,) = _PACKET.unpack_from(capture, place)
        packet = place + _PACKET.size
        place = packet + length
        ip = packet + 14
        (total,) = _TOTAL_LENGTH.unpack_from(capture, ip)
        tcp = ip + 4 * (capture[ip] & 15)
        source, target, sequence = _PORTS_AND_SEQUENCE.unpack_from(capture, tcp)
        upstream = target in ports
        key = (source, target) if upstream else (target, source)
        if capture[tcp + 13] & _SYN:
            if upstream:
                flows[key] = SizedFlow(target)
                found.append(flows[key])
            expected[source, target] = (sequence + 1) & 0xFFFFFFFF
            continue
        payload = total - (tcp - ip) - 4 * (capture[tcp + 12] >> 4)
        if payload <= 0 or key not in flows or sequence != expected.get((source, target)):
            continue  # no data, from before the capture, or sent again
        expected[source, target] = (sequence + payload) & 0xFFFFFFFF
        flows[key].sizes.append(payload if upstream else -payload)
    return found
