"""The numbers of udpgw flows."""

import pytest

from headrace.client.udp_flows import Flow, FlowTable
from headrace.codec.udpgw import Frame, encode_frame

V4 = bytes([192, 0, 2, 1])


class Someone:
    def received(self, address: bytes, port: int, datagram: bytes) -> None:
        raise NotImplementedError


def reply(number: int, port: int, address: bytes = V4) -> bytes:
    return encode_frame(Frame(number, address, port, b"x"))[2:]


def use(table: FlowTable, owner: Someone, port: int) -> Flow:
    flow = table.outgoing(owner, V4, port, dns=False)
    flow.begun()
    return flow


def test_a_pair_keeps_its_number() -> None:
    table, one, other = FlowTable(), Someone(), Someone()
    flow = use(table, one, 443)
    assert use(table, one, 443) is flow
    flows = [flow, use(table, one, 444), use(table, other, 443), table.outgoing(one, V4, 443, dns=True)]
    assert len({flow.number for flow in flows}) == len(table) == 4


def test_only_until_it_has_begun_does_a_flow_replace_another() -> None:
    flow = FlowTable().outgoing(Someone(), V4, 443, dns=False)
    assert flow.head == bytes.fromhex("02 0000 c0000201 01bb")
    flow.begun()
    assert flow.head == bytes.fromhex("00 0000 c0000201 01bb")


def test_a_full_table_gives_up_the_one_that_was_idle_longest() -> None:
    table, owner = FlowTable(3), Someone()
    one, two, three = (use(table, owner, port) for port in (1, 2, 3))
    assert use(table, owner, 1) is one
    assert table.incoming(reply(two.number, 2)) == (two, b"x")
    four = use(table, owner, 4)
    assert four.number == three.number
    assert table.incoming(reply(three.number, 3)) is None
    assert table.incoming(reply(four.number, 4)) == (four, b"x")
    assert use(table, owner, 1) is one and use(table, owner, 2) is two
    assert len(table) == 3


def test_a_number_that_was_given_back_is_taken_last() -> None:
    table, owner = FlowTable(3), Someone()
    first = use(table, owner, 1).number
    table.release(owner)
    assert [use(table, owner, port).number for port in (2, 3, 4)][-1] == first


def test_an_owner_takes_its_own_flows_along() -> None:
    table, one, other = FlowTable(), Someone(), Someone()
    gone = [use(table, one, port) for port in (1, 2)]
    kept = use(table, other, 1)
    table.release(one)
    assert [table.incoming(reply(flow.number, flow.port)) for flow in gone] == [None, None]
    assert table.incoming(reply(kept.number, 1)) == (kept, b"x")
    assert len(table) == 1


@pytest.mark.parametrize(
    ("number", "address", "port"), [(1, V4, 1), (0, V4, 2), (0, bytes(16), 1), (65535, V4, 1)]
)
def test_what_is_for_no_flow(number: int, address: bytes, port: int) -> None:
    table = FlowTable()
    use(table, Someone(), 1)
    assert table.incoming(reply(number, port, address)) is None


def test_a_reply_whose_longer_address_is_not_flagged() -> None:
    table = FlowTable()
    flow = table.outgoing(Someone(), bytes(range(16)), 443, dns=False)
    message = reply(flow.number, 443, bytes(range(16)))
    assert table.incoming(message) == table.incoming(b"\0" + message[1:]) == (flow, b"x")
    assert table.incoming(b"\0" + message[1:20]) is None
