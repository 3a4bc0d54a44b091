"""The server's end of udpgw: what goes where, what is dropped, and when flows end."""

import asyncio
import ipaddress
import json
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from dns.message import from_wire, make_query

from headrace.codec.udpgw import MAX_DATAGRAM, Frame, UdpgwDecoder, encode_frame, encode_keepalive
from headrace.documents.blocklist import read_blocklist
from headrace.documents.port_policy import Address
from headrace.documents.traffic_rules import ClientTraits, TrafficLimits, read_traffic_rules
from headrace.server.egress import Egress
from headrace.server.gate import Exits, Gate
from headrace.server.osl_seeding import Seeding
from headrace.server.udpgw_channel import MAX_WAITING, UdpgwEndpoint
from headrace.ssh.channel import INITIAL_WINDOW, Channel
from headrace.testing.peers import RecordingEndpoint, SshPair


def limits(**rules: object) -> TrafficLimits:
    text = json.dumps({"DefaultRules": rules}).encode()
    return read_traffic_rules(text).limits_for(ClientTraits(tunnel_protocol="OSSH"))


@dataclass
class Handle:
    cancel: Callable[[], None]


class Timers:
    """A loop's clock and timers, in the test's hands."""

    def __init__(self) -> None:
        self.now = 100.0
        self.due: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        entry = (self.now + delay, callback)
        self.due.append(entry)
        return cast("asyncio.TimerHandle", Handle(lambda: self.due.remove(entry)))

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while self.due and min(self.due, key=lambda entry: entry[0])[0] <= end:
            entry = min(self.due, key=lambda entry: entry[0])
            self.due.remove(entry)
            self.now = entry[0]
            entry[1]()
        self.now = end


@dataclass
class FakeFlow:
    host: str
    port: int
    receive: Callable[[bytes], None]
    sent: list[bytes] = field(default_factory=list)
    closed: bool = False

    def send(self, datagram: bytes) -> None:
        assert not self.closed
        self.sent.append(datagram)

    def close(self) -> None:
        self.closed = True


class Bench:
    """A client's end of the channel over an in-memory tunnel, and the flows the server's end opened."""

    def __init__(
        self,
        rules: TrafficLimits | None = None,
        *,
        dns_server: str = "192.0.2.53",
        bogons: bool = False,
        blocklist: str = "",
        seeding: Seeding | None = None,
    ) -> None:
        self.flows: list[FakeFlow] = []
        self.counts: Counter[str] = Counter()
        self.timers = Timers()
        self.fail = False
        self.endpoint = UdpgwEndpoint(
            Gate(
                Exits(
                    Egress(allow_bogons=bogons),
                    blocklist=read_blocklist(blocklist.splitlines(keepends=True)),
                    blocking=True,
                ),
                rules or limits(),
                self.counts,
            ),
            dns_server,
            seeding=seeding,
            open_flow=self._open,
            loop=cast("asyncio.AbstractEventLoop", self.timers),
        )
        self.pair = SshPair(accept=self._accept).start()
        self.pair.run()
        self.client: RecordingEndpoint = self.pair.open()[0]

    def _open(self, host: str, port: int, receive: Callable[[bytes], None]) -> FakeFlow:
        if self.fail:
            raise OSError
        self.flows.append(FakeFlow(host, port, receive))
        return self.flows[-1]

    def _accept(self, channel: Channel, kind: bytes, extra: memoryview) -> None:
        channel.accept(self.endpoint)
        self.endpoint.opened(channel)

    def send(self, *frames: Frame) -> None:
        self.client.send(b"".join(map(encode_frame, frames)))
        self.pair.run()

    def replies(self) -> list[Frame]:
        self.pair.run()
        frames = UdpgwDecoder().receive(bytes(self.client.received))
        self.client.received.clear()
        return frames


def frame(
    id_: int = 1,
    host: str = "8.8.4.4",
    port: int = 443,
    datagram: bytes = b"hello",
    *,
    rebind: bool = False,
    dns: bool = False,
) -> Frame:
    return Frame(id_, ipaddress.ip_address(host).packed, port, datagram, rebind, dns)


@pytest.mark.parametrize("host", ["8.8.4.4", "2606:4700::1111"])
def test_there_and_back(host: str) -> None:
    bench = Bench()
    bench.send(frame(7, host, 443, b"one"), frame(7, host, 443, b"two"))
    (flow,) = bench.flows
    assert (flow.host, flow.port, flow.sent) == (host, 443, [b"one", b"two"])
    flow.receive(b"three")
    flow.receive(b"")
    assert bench.replies() == [frame(7, host, 443, b"three"), frame(7, host, 443, b"")]


def test_ids_are_flows_of_their_own() -> None:
    bench = Bench()
    bench.send(frame(1), frame(2), frame(1))
    assert [len(flow.sent) for flow in bench.flows] == [2, 1]
    bench.flows[1].receive(b"x")
    assert [reply.connection_id for reply in bench.replies()] == [2]


def test_dns_goes_to_our_own_server_at_its_one_port_and_looks_as_if_it_had_not() -> None:
    bench = Bench(limits(AllowUDPPorts=[443]), dns_server="127.0.0.1")
    bench.send(frame(3, "10.0.0.2", 7300, b"question", dns=True))
    (flow,) = bench.flows
    assert (flow.host, flow.port) == ("127.0.0.1", 53)
    flow.receive(b"answer")
    assert bench.replies() == [frame(3, "10.0.0.2", 7300, b"answer")]


def test_without_a_name_server_dns_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.server.udpgw_channel.system_name_servers", list)
    bench = Bench(dns_server="")
    bench.send(frame(dns=True))
    assert (bench.flows, bench.endpoint.dropped) == ([], 1)


def test_the_systems_name_servers_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of them may be dead: who asks again asks another one."""
    servers = ["192.0.2.53", "2001:db8::53"]
    monkeypatch.setattr("headrace.server.udpgw_channel.system_name_servers", lambda: servers)
    bench = Bench(dns_server="")
    bench.send(*(frame(number, dns=True) for number in range(3)))
    assert [flow.host for flow in bench.flows] == [servers[0], servers[1], servers[0]]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fd00::1", "224.0.0.251"]
)
def test_special_addresses_are_out_of_reach(host: str) -> None:
    bench = Bench()
    bench.send(frame(host=host))
    assert (bench.flows, bench.endpoint.dropped) == ([], 1)
    test = Bench(bogons=True)
    test.send(frame(host=host))
    assert len(test.flows) == 1


def test_what_is_on_the_block_list_is_dropped() -> None:
    bench = Bench(blocklist="8.8.8.8,feed,botnet\n")
    bench.send(frame(1, "8.8.8.8"), frame(2, "::ffff:8.8.8.8"), frame(3, "8.8.4.4"))
    assert [flow.host for flow in bench.flows] == ["8.8.4.4"]
    assert bench.endpoint.dropped == 2


@pytest.mark.parametrize(("host", "dns"), [("10.0.0.2", True), ("8.8.4.4", False)], ids=["ours", "another"])
def test_questions_about_listed_names_are_dropped(host: str, dns: bool) -> None:
    bench = Bench(blocklist="malware.example,feed,phishing\n")
    names = ("a.example", "Malware.Example", "www.malware.example")
    for name in names:
        bench.send(frame(1, host, 53, make_query(name, "A").to_wire(), dns=dns))
    (flow,) = bench.flows
    assert [from_wire(sent).question[0].name.to_text() for sent in flow.sent] == [
        "a.example.",
        f"{names[2]}.",
    ]
    assert bench.endpoint.dropped == 1
    bench.send(frame(1, host, 53, b"no message", dns=dns), frame(2, "8.8.4.4", 443, b"no message"))
    assert len(flow.sent) == 2
    assert bench.endpoint.dropped == 2


def test_traffic_rules_are_kept() -> None:
    bench = Bench(limits(AllowUDPPorts=[443], DisallowSubnets=["8.8.8.0/24"]))
    bench.send(frame(1, port=80), frame(2, "8.8.8.8"), frame(3, port=0), frame(4))
    assert [(flow.host, flow.port) for flow in bench.flows] == [("8.8.4.4", 443)]
    assert bench.endpoint.dropped == 3
    assert bench.counts == {"refused.udp_disallowed": 2}


@pytest.mark.parametrize(
    "second", [frame(rebind=True), frame(port=444), frame(host="8.8.8.8"), frame(port=443, dns=True)]
)
def test_rebinding_or_another_destination_begins_anew(second: Frame) -> None:
    bench = Bench()
    bench.send(frame())
    bench.send(second)
    first, other = bench.flows
    assert first.closed
    assert not other.closed
    first.receive(b"late")
    assert bench.replies() == []
    other.receive(b"now")
    assert [reply.datagram for reply in bench.replies()] == [b"now"]


def test_the_least_recently_used_flow_makes_room() -> None:
    bench = Bench(limits(MaxUDPPortForwardCount=2))
    bench.send(frame(1), frame(2), frame(1))
    bench.flows[0].receive(b"")
    bench.send(frame(3))
    assert [flow.closed for flow in bench.flows] == [False, True, False]
    bench.flows[0].receive(b"x")  # now 3 is the oldest
    bench.send(frame(2))
    assert [flow.closed for flow in bench.flows] == [False, True, True, False]


def test_idle_flows_end() -> None:
    bench = Bench(limits(IdleUDPPortForwardTimeoutMilliseconds=10_000))
    bench.send(frame(1), frame(2))
    bench.timers.advance(6)
    bench.send(frame(2))
    bench.timers.advance(3.9)
    assert [flow.closed for flow in bench.flows] == [False, False]
    bench.timers.advance(0.1)
    assert [flow.closed for flow in bench.flows] == [True, False]
    bench.timers.advance(5)
    bench.flows[1].receive(b"still here")
    bench.timers.advance(9)
    assert not bench.flows[1].closed
    bench.timers.advance(1)
    assert bench.flows[1].closed
    assert bench.timers.due == []
    bench.send(frame(2))
    assert len(bench.flows) == 3


def test_replies_wait_while_the_tunnel_is_full_and_keep_their_order() -> None:
    bench = Bench()
    bench.send(frame())
    assert bench.pair.server.connection is not None
    bench.pair.server.connection.block(True)
    bench.flows[0].receive(b"one")
    assert bench.replies() == []
    bench.pair.server.connection.block(False)
    bench.flows[0].receive(b"two")
    bench.flows[0].receive(bytes(MAX_DATAGRAM + 1))
    assert [reply.datagram for reply in bench.replies()] == [b"one", b"two"]
    assert bench.endpoint.dropped == 1


def test_replies_beyond_the_window_wait_for_it_within_bounds() -> None:
    bench = Bench()
    bench.send(frame())
    size = 2 + 3 + 4 + 2 + 30_000
    fitting, waiting = INITIAL_WINDOW // size, MAX_WAITING // size
    for _ in range(fitting + waiting + 5):
        bench.flows[0].receive(bytes(30_000))  # nobody moves bytes meanwhile: the window runs out
    assert bench.endpoint.dropped == 5
    assert len(bench.replies()) == fitting + waiting


def test_no_flow_has_more_than_its_share_of_what_waits() -> None:
    bench = Bench()
    bench.send(frame(1), frame(2))
    assert bench.pair.server.connection is not None
    bench.pair.server.connection.block(True)
    for _ in range(100):
        bench.flows[0].receive(b"x")
    bench.flows[1].receive(b"y")
    bench.pair.server.connection.block(False)
    assert [reply.datagram for reply in bench.replies()] == [*[b"x"] * 64, b"y"]
    assert bench.endpoint.dropped == 36


def test_a_flow_that_cannot_be_opened_is_dropped() -> None:
    bench = Bench()
    bench.fail = True
    bench.send(frame())
    bench.fail = False
    bench.send(frame())
    assert (bench.endpoint.dropped, len(bench.flows)) == (1, 1)


def test_garbage_ends_the_channel_but_not_the_tunnel() -> None:
    bench = Bench()
    bench.send(frame())
    bench.client.send(b"\xff\xff" + bytes(100))
    bench.pair.run()
    assert bench.client.events[-1] == ("closed", None)
    assert bench.flows[0].closed
    assert bench.timers.due == []
    assert bench.pair.server.disconnects == []
    bench.endpoint.data(memoryview(encode_frame(frame(2))))
    assert len(bench.flows) == 1


def test_keep_alives_and_split_messages() -> None:
    bench = Bench()
    for byte in encode_keepalive() + encode_frame(frame()):
        bench.client.send(bytes([byte]))
        bench.pair.run()
    assert bench.flows[0].sent == [b"hello"]


def test_end_of_file_ends_the_channel() -> None:
    bench = Bench()
    bench.send(frame())
    assert bench.client.channel is not None
    bench.client.channel.eof()
    bench.pair.run()
    assert bench.client.events[-1] == ("closed", None)
    assert bench.flows[0].closed


def test_nothing_is_sent_between_the_end_and_the_peers_consent() -> None:
    bench = Bench()
    bench.send(frame())
    bench.endpoint.close()
    bench.flows[0].receive(b"late")
    bench.endpoint.data(memoryview(encode_frame(frame(2))))
    assert len(bench.client.events) == 1
    bench.pair.run()
    assert bench.client.events[-1] == ("closed", None)
    assert len(bench.flows) == 1 and bench.flows[0].closed
    bench.endpoint.close()


def test_a_lost_tunnel_closes_the_flows() -> None:
    bench = Bench()
    bench.send(frame(1), frame(2))
    assert bench.pair.server.connection is not None
    bench.pair.server.connection.lost(None)
    assert all(flow.closed for flow in bench.flows)
    bench.flows[0].receive(b"late")
    assert bench.timers.due == []


async def test_with_real_sockets() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        gate = Gate(Exits(Egress(allow_bogons=True)), limits(), Counter())
        endpoint = UdpgwEndpoint(gate, "127.0.0.1")

        def accept(channel: Channel, kind: bytes, extra: memoryview) -> None:
            channel.accept(endpoint)
            endpoint.opened(channel)

        answered = asyncio.Event()
        pair = SshPair(accept=accept, wake=answered.set).start()
        pair.run()
        client, channel = pair.open()
        client.send(encode_frame(frame(9, "127.0.0.1", server.getsockname()[1], b"question")))
        pair.run()
        data, sender = server.recvfrom(100)
        answered.clear()
        server.sendto(data + b"?", sender)
        async with asyncio.timeout(5):
            await answered.wait()
        pair.run()
        (reply,) = UdpgwDecoder().receive(bytes(client.received))
        assert (reply.connection_id, reply.datagram) == (9, b"question?")
        channel.close()
        pair.run()


# ---- seeding ----------------------------------------------------------------------------------------------


class Ledger:
    """Seeding that writes down which flows there are."""

    def __init__(self) -> None:
        self.open: dict[Any, str] = {}
        self.ended: list[tuple[str, int, int]] = []  # address, bytes in, bytes out

    def opened(self, flow: Any, address: Address) -> None:
        self.open[flow] = str(address)

    def closed(self, flow: Any) -> None:
        if flow in self.open:
            self.ended.append((self.open.pop(flow), flow.bytes_in, flow.bytes_out))


def test_flows_are_told_of_and_count_their_bytes() -> None:
    ledger = Ledger()
    bench = Bench(limits(MaxUDPPortForwardCount=2), seeding=cast("Seeding", ledger))
    bench.send(frame(1, "8.8.4.4", 443, b"12345"), frame(1, "8.8.4.4", 443, b"678"))
    bench.flows[0].receive(b"1234")
    bench.send(frame(1, "9.9.9.9", 443, b"1", rebind=True))
    assert ledger.ended == [("8.8.4.4", 4, 8)]
    bench.send(frame(2, "8.8.8.8"), frame(3, "1.1.1.1"))
    assert ledger.ended[1:] == [("9.9.9.9", 0, 1)]
    assert sorted(ledger.open.values()) == ["1.1.1.1", "8.8.8.8"]
    bench.timers.advance(1000)
    assert sorted(ledger.ended[2:]) == [("1.1.1.1", 0, 5), ("8.8.8.8", 0, 5)]
    bench.send(frame(4, "2606:4700::1111"))
    bench.endpoint.closed(None)
    assert ledger.ended[4:] == [("2606:4700::1111", 0, 5)]
    assert not ledger.open


def test_dns_that_is_left_to_us_is_no_traffic_of_the_clients() -> None:
    ledger = Ledger()
    bench = Bench(seeding=cast("Seeding", ledger))
    bench.send(frame(1, "8.8.4.4", 53, dns=True))
    bench.timers.advance(1000)
    assert bench.flows[0].closed
    assert not ledger.open and not ledger.ended
