"""Flows out of a capture: what was sent first, in order, and nothing twice."""

import ipaddress
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.resist.flows import Flow, read_flows

SYN, ACK, FIN, RST = 2, 16, 1, 4
CLIENT, SERVER = ("127.0.0.1", 40_000), ("127.0.0.1", 443)
HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1)


def packet(
    source: tuple[str, int], target: tuple[str, int], sequence: int, flags: int, data: bytes = b""
) -> bytes:
    tcp = struct.pack("!HHIIBBHHH", source[1], target[1], sequence, 0, 5 << 4, flags, 0, 0, 0) + data
    here, there = (ipaddress.ip_address(end[0]).packed for end in (source, target))
    if len(here) == 4:
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + here + there
        return bytes(12) + b"\x08\x00" + ip + tcp
    return bytes(12) + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, len(tcp), 6, 64) + here + there + tcp


def flows(tmp_path: Path, *packets: bytes) -> list[Flow]:
    file = tmp_path / "capture.pcap"
    records = (
        struct.pack("<IIII", 5, number, len(each), len(each)) + each for number, each in enumerate(packets)
    )
    file.write_bytes(HEADER + b"".join(records))
    return read_flows(file)


def test_a_connection(tmp_path: Path) -> None:
    (flow,) = flows(
        tmp_path,
        packet(CLIENT, SERVER, 99, SYN),
        packet(SERVER, CLIENT, 499, SYN | ACK),
        packet(CLIENT, SERVER, 100, ACK),
        packet(CLIENT, SERVER, 100, ACK, b"hello"),
        packet(SERVER, CLIENT, 500, ACK, b"hi"),
        packet(CLIENT, SERVER, 105, ACK, b"!"),
        packet(SERVER, CLIENT, 502, ACK | FIN),
        packet(CLIENT, SERVER, 106, RST),
    )
    assert (flow.client, flow.server, flow.sizes) == (CLIENT, SERVER, [5, -2, 1])
    assert (flow.first(up=True), flow.stream(up=True), flow.stream(up=False)) == (b"hello", b"hello!", b"hi")
    assert [(up, name) for _, up, name in flow.endings] == [(False, "fin"), (True, "rst")]
    assert flow.segments[0].time == pytest.approx(5.000003)


def test_what_is_sent_again_is_left_out(tmp_path: Path) -> None:
    (flow,) = flows(
        tmp_path,
        packet(CLIENT, SERVER, 0xFFFF_FFFD, SYN),
        packet(CLIENT, SERVER, 0xFFFF_FFFD, SYN),
        packet(CLIENT, SERVER, 0xFFFF_FFFE, ACK, b"abcd"),  # over the end of the numbers
        packet(CLIENT, SERVER, 0xFFFF_FFFE, ACK, b"abcd"),
        packet(CLIENT, SERVER, 0, ACK, b"cdef"),
    )
    assert flow.stream(up=True) == b"abcdef"
    assert flow.sizes == [4, 2]


def test_what_began_before_is_not_known(tmp_path: Path) -> None:
    assert flows(tmp_path, packet(CLIENT, SERVER, 1, ACK, b"late")) == []


def test_a_port_that_is_used_again_is_another_connection(tmp_path: Path) -> None:
    both = flows(
        tmp_path,
        *(packet(CLIENT, SERVER, 0, SYN), packet(CLIENT, SERVER, 1, ACK, b"one")),
        *(packet(CLIENT, SERVER, 7, SYN), packet(CLIENT, SERVER, 8, ACK, b"two")),
    )
    assert [flow.stream(up=True) for flow in both] == [b"one", b"two"]


def test_ipv6_and_other_ports(tmp_path: Path) -> None:
    client, server = ("::1", 1), ("::1", 2)
    packets = packet(client, server, 0, SYN), packet(client, server, 1, ACK, b"six")
    assert [flow.stream(up=True) for flow in flows(tmp_path, *packets)] == [b"six"]
    assert read_flows(tmp_path / "capture.pcap", [3]) == []


def test_a_capture_that_breaks_off(tmp_path: Path) -> None:
    flows(tmp_path, packet(CLIENT, SERVER, 0, SYN), packet(CLIENT, SERVER, 1, ACK, b"all"))
    file = tmp_path / "capture.pcap"
    file.write_bytes(file.read_bytes()[:-1])
    assert [flow.sizes for flow in read_flows(file)] == [[]]


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"", "no pcap file"), (b"GIF89a" * 10, "no pcap file"), (HEADER[:20] + b"\x71\0\0\0", "Ethernet")],
)
def test_no_capture_at_all(tmp_path: Path, data: bytes, said: str) -> None:
    (file := tmp_path / "capture.pcap").write_bytes(data)
    with pytest.raises(ValueError, match=said):
        read_flows(file)


@given(st.lists(st.binary(max_size=80), max_size=5))
def test_any_packets_are_read_or_passed_over(
    tmp_path_factory: pytest.TempPathFactory, packets: list[bytes]
) -> None:
    flows(tmp_path_factory.mktemp("capture"), *packets)
