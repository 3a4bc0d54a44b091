"""Datagrams: heads, streams of messages cut anywhere, and the numbers of flows against a model."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from headrace.base.errors import RemoteProtocolError
from headrace.client.udp_flows import Flow, FlowTable
from headrace.codec.socks_udp import SocksDatagram, encode_sender, parse_datagram
from headrace.codec.udpgw import Frame, UdpgwDecoder, datagram_from, encode_frame, encode_keepalive

addresses = st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16)
ports = st.integers(1, 65_535)


@given(addresses, ports, st.binary(max_size=100))
def test_what_comes_back_reads_like_what_is_sent(address: bytes, port: int, data: bytes) -> None:
    assert parse_datagram(encode_sender(address, port) + data) == SocksDatagram(address, port, data)


@given(st.binary(max_size=300) | st.binary(max_size=300).map(b"\0\0\0".__add__))
def test_any_datagram_is_for_somebody_or_refused(data: bytes) -> None:
    try:
        datagram = parse_datagram(data)
    except RemoteProtocolError:
        return
    assert datagram.host and datagram.port and data.endswith(datagram.data)


@given(
    st.lists(st.builds(Frame, st.integers(0, 65_535), addresses, ports, st.binary(max_size=50)), max_size=5),
    st.sets(st.integers(0, 400)),
)
def test_replies_do_not_depend_on_where_the_stream_is_cut(frames: list[Frame], cuts: set[int]) -> None:
    stream = b"".join(encode_frame(frame) + encode_keepalive() for frame in frames)
    places = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    decoder = UdpgwDecoder()
    messages = [message for start, end in pairwise(places) for message in decoder.messages(stream[start:end])]
    found = [
        datagram_from(message, frame.address, frame.port)
        for message, frame in zip(messages, frames, strict=True)
    ]
    assert found == [frame.datagram for frame in frames]


class Owner:
    def received(self, address: bytes, port: int, datagram: bytes) -> None:
        raise NotImplementedError


OWNERS = [Owner(), Owner(), Owner()]
uses = st.tuples(st.sampled_from(["send", "reply"]), st.integers(0, 2), st.integers(1, 4))
ends = st.tuples(st.just("end"), st.integers(0, 2), st.just(0))


@given(st.lists(uses | ends, max_size=60))
def test_flows_are_those_used_last(steps: list[tuple[str, int, int]]) -> None:
    table, address = FlowTable(4), bytes(4)
    model: dict[tuple[int, int], Flow] = {}  # as the table should be, least recently used first
    for step, owner, port in steps:
        if step == "end":
            table.release(OWNERS[owner])
            model = {pair: flow for pair, flow in model.items() if pair[0] != owner}
        elif step == "send":
            flow = table.outgoing(OWNERS[owner], address, port, dns=False)
            known = model.pop((owner, port), None)
            assert known is None or known is flow
            if known is None and len(model) == 4:
                del model[next(iter(model))]
            model[owner, port] = flow
        elif (owner, port) in model:
            flow = model.pop((owner, port))
            assert table.incoming(encode_frame(Frame(flow.number, address, port, b"x"))[2:]) == (flow, b"x")
            model[owner, port] = flow
        numbers = [flow.number for flow in model.values()]
        assert len(table) == len(model) == len(set(numbers))
        assert all(0 <= number < 4 for number in numbers)
