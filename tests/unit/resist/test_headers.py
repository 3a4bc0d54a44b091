"""Sizes are read off packets' headers: of those sent first, in order, by direction."""

import struct
from pathlib import Path

from headrace.resist.headers import HEADERS, SizedFlow, read_sizes

CLIENT, SERVER = 40_000, 8080
SYN, ACK = 0x02, 0x10


def packet(source: int, target: int, sequence: int, size: int = 0, flags: int = ACK) -> bytes:
    """A packet's headers as loopback has them, with 12 bytes of TCP options; payload is left out."""
    tcp = struct.pack(">HHIIBBHHH12x", source, target, sequence, 0, 8 << 4, flags, 0, 0, 0)
    ip = struct.pack(">BxH5xB2x4s4s", 0x45, 20 + len(tcp) + size, 6, b"\x7f\0\0\1", b"\x7f\0\0\1")
    return bytes(12) + b"\x08\0" + ip + tcp


def capture(directory: Path, *packets: bytes) -> Path:
    file = directory / "file.pcap"
    records = (struct.pack("<IIII", 0, 0, len(each), len(each) + 9) + each for each in packets)
    file.write_bytes(b"\xd4\xc3\xb2\xa1" + bytes(20) + b"".join(records))
    return file


def handshake(server: int = SERVER, client: int = CLIENT) -> list[bytes]:
    return [packet(client, server, 100, flags=SYN), packet(server, client, 500, flags=SYN | ACK)]


def test_sizes_are_those_of_payloads(tmp_path: Path) -> None:
    file = capture(
        tmp_path,
        *handshake(),
        packet(CLIENT, SERVER, 101),
        packet(CLIENT, SERVER, 101, 300),
        packet(SERVER, CLIENT, 501, 60_000),
        packet(CLIENT, SERVER, 401, 1),
    )
    assert read_sizes(file, {SERVER}) == [SizedFlow(SERVER, [300, -60_000, 1])]


def test_what_is_sent_again_is_counted_once(tmp_path: Path) -> None:
    again = packet(CLIENT, SERVER, 101, 300)
    assert read_sizes(capture(tmp_path, *handshake(), again, again), {SERVER})[0].sizes == [300]


def test_sequence_numbers_wrap(tmp_path: Path) -> None:
    last = 2**32 - 1
    file = capture(
        tmp_path,
        packet(CLIENT, SERVER, last - 10, flags=SYN),
        packet(CLIENT, SERVER, last - 9, 20),
        packet(CLIENT, SERVER, 10, 5),
    )
    assert read_sizes(file, {SERVER})[0].sizes == [20, 5]


def test_flows_are_told_apart_by_ports_and_others_left_out(tmp_path: Path) -> None:
    file = capture(
        tmp_path,
        *handshake(SERVER, CLIENT),
        *handshake(8081, CLIENT + 1),
        packet(CLIENT + 1, 8081, 101, 7),
        packet(CLIENT + 2, SERVER, 900, 9),  # from before the capture
    )
    assert read_sizes(file, {SERVER, 8081}) == [SizedFlow(SERVER, []), SizedFlow(8081, [7])]


def test_a_client_port_that_is_used_again_makes_another_flow(tmp_path: Path) -> None:
    once = [*handshake(), packet(CLIENT, SERVER, 101, 7)]
    assert [flow.sizes for flow in read_sizes(capture(tmp_path, *once, *once), {SERVER})] == [[7], [7]]


def test_headers_with_all_options_are_kept() -> None:
    assert len(packet(1, 2, 3)) <= HEADERS
