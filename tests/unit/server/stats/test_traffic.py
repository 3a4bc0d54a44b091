from dataclasses import dataclass

from headrace.server.stats.traffic import Traffic


@dataclass(eq=False)
class Flow:
    bytes_in: int = 0
    bytes_out: int = 0


def test_open_and_closed_flows_count() -> None:
    traffic, one, other = Traffic(), Flow(), Flow()
    traffic.opened(one)
    traffic.opened(other)
    one.bytes_out, one.bytes_in, other.bytes_in = 10, 20, 5
    assert (traffic.up, traffic.down, traffic.open) == (10, 25, 2)
    traffic.closed(one)
    one.bytes_in = 1000  # what comes after the end is nobody's
    other.bytes_out = 3
    assert (traffic.up, traffic.down, traffic.open) == (13, 25, 1)
    traffic.opened(Flow())
    assert (traffic.total, traffic.peak) == (3, 2)


def test_a_flow_ends_once() -> None:
    traffic, flow = Traffic(), Flow(bytes_out=7)
    traffic.closed(flow)
    assert traffic.up == 0
    traffic.opened(flow)
    traffic.close()
    traffic.closed(flow)
    assert (traffic.up, traffic.open, traffic.total) == (7, 0, 1)
