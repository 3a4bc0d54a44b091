from dataclasses import dataclass

from headrace.server.stats.tunnel_record import TunnelRecord

NOON = 1_704_196_800.0  # 2024-01-02T12:00:00Z
NETWORKS = {"192.0.2.1": "64500", "192.0.2.2": "64501"}


@dataclass(eq=False)
class Flow:
    bytes_in: int = 0
    bytes_out: int = 0


def test_the_fields_of_a_tunnel() -> None:
    record = TunnelRecord("ab" * 16, NOON + 59, is_first=False)
    web = Flow()
    record.opened_tcp(web, "192.0.2.1", named=True)
    record.opened_tcp(Flow(bytes_out=1), "192.0.2.1", named=False)
    datagrams = Flow(bytes_in=1, bytes_out=2)
    record.opened_udp(datagrams, "192.0.2.2")
    web.bytes_in, web.bytes_out = 300, 40
    record.closed(web)
    record.closed(datagrams)
    record.dials(3)
    record.dials(1)
    record.udpgw_channels = 1
    record.early_streams.opened(5, 6)
    assert record.fields(1.5, 1000, handshaken=True) == {
        "session_id": "ab" * 16,
        "handshake_completed": True,
        "is_first_tunnel_in_session": False,
        "start_time": "2024-01-02T12:00:00Z",
        "duration": 1500,
        "bytes": 344,
        "ssh_protocol_bytes": 1000,
        "ssh_protocol_bytes_overhead": 656,
        "pre_handshake_random_stream_count": 1,
        "pre_handshake_random_stream_upstream_bytes": 5,
        "pre_handshake_random_stream_downstream_bytes": 6,
        "bytes_up_tcp": 41,
        "bytes_down_tcp": 300,
        "peak_concurrent_dialing_port_forward_count_tcp": 3,
        "peak_concurrent_port_forward_count_tcp": 2,
        "total_port_forward_count_tcp": 2,
        "total_domain_port_forward_count_tcp": 1,
        "bytes_up_udp": 2,
        "bytes_down_udp": 1,
        "peak_concurrent_port_forward_count_udp": 1,
        "total_port_forward_count_udp": 1,
        "total_udpgw_channel_count": 1,
    }


def test_without_a_handshake_there_were_no_forwards_to_tell_of() -> None:
    fields = TunnelRecord("", NOON).fields(0.0, 9, handshaken=False)
    assert "bytes_up_tcp" not in fields
    assert (fields["bytes"], fields["handshake_completed"]) == (0, False)


def test_only_networks_that_are_watched_are_told_apart() -> None:
    record = TunnelRecord("", NOON)
    record.watch(["64500", "64502"], lambda address: NETWORKS[address])
    there, elsewhere, datagrams = Flow(bytes_out=1), Flow(bytes_out=10), Flow(bytes_out=100)
    record.opened_tcp(there, "192.0.2.1", named=False)
    record.opened_tcp(elsewhere, "192.0.2.2", named=False)
    record.opened_udp(datagrams, "192.0.2.1")
    record.closed(there)
    assert sorted(record.destinations()) == [("64500", 1, 100), ("64502", 0, 0)]


def test_a_record_that_is_closed_holds_no_flow() -> None:
    record = TunnelRecord("", NOON)
    record.watch(["64500"], lambda address: NETWORKS[address])
    flow = Flow(bytes_out=4)
    record.opened_tcp(flow, "192.0.2.1", named=False)
    record.close()
    record.closed(flow)
    assert (record.tcp.open, record.tcp.up, list(record.destinations())) == (0, 4, [("64500", 4, 0)])
