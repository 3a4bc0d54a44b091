"""Attack: datagrams against whoever passes them on - a server's clients, its flows, an application's port."""

import asyncio
import gc
import socket
import tracemalloc
from collections import Counter
from typing import cast

import pytest
from tests.datagrams import udp_head
from tests.memory_network import settle
from tests.unit.client.udpgw_server import ScriptedServer

from headrace.base.rng import SeededRng
from headrace.client.local_socks import SocksConnection
from headrace.client.proxy_options import ProxyOptions
from headrace.client.udp_flows import MAX_FLOWS
from headrace.client.udpgw_client import MAX_WAITING, UdpgwClient
from headrace.codec.udpgw import Frame, encode_frame
from headrace.documents.traffic_rules import DEFAULT_TRAFFIC_RULES, ClientTraits
from headrace.server.egress import Egress
from headrace.server.gate import Exits, Gate
from headrace.server.udpgw_channel import MAX_WAITING as MAX_REPLIES
from headrace.server.udpgw_channel import UdpgwEndpoint
from headrace.ssh.channel import INITIAL_WINDOW, Channel
from headrace.testing.fake_tcp import FakeTcp
from headrace.testing.memory_tunnel import MemoryTunnel

pytestmark = pytest.mark.virtual_time

V4 = bytes([8, 8, 4, 4])


def memory() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


# ---- a hostile server -------------------------------------------------------------------------------------


class Owner:
    def __init__(self) -> None:
        self.arrived: list[bytes] = []

    def received(self, address: bytes, port: int, datagram: bytes) -> None:
        self.arrived.append(datagram)


async def test_a_server_cannot_send_what_nobody_asked_for() -> None:
    server, owner = ScriptedServer(), Owner()
    server.tunnel()
    client = UdpgwClient(server.open_forward, asyncio.get_running_loop())
    client.send(owner, V4, 443, b"x")
    await settle()
    rng = SeededRng(1)
    for _ in range(2_000):
        server.send(Frame(rng.between(0, 65_535), rng.bytes(4), rng.between(0, 65_535), b"forged"))
    await settle()
    assert (owner.arrived, client.flows) == ([], 1)
    client.close()


async def test_garbage_costs_a_server_its_channel_and_no_more() -> None:
    server, owner = ScriptedServer(), Owner()
    server.tunnel()
    client = UdpgwClient(server.open_forward, asyncio.get_running_loop())
    for seed in range(20):
        client.send(owner, V4, 443, b"x")
        await settle()
        assert server.open
        server.send(b"\0\0" + SeededRng(seed).bytes(1_000))
        await asyncio.sleep(5.1)
    assert len(server.asked) <= 22  # once in five seconds, however often it fails
    client.close()


async def test_a_server_that_takes_nothing_parks_a_bounded_amount() -> None:
    server, owner = ScriptedServer(), Owner()
    client = UdpgwClient(server.open_forward, asyncio.get_running_loop())
    tracemalloc.start()
    try:
        before = memory()
        for number in range(3 * MAX_FLOWS):
            client.send(owner, V4, 1 + number, bytes(1_200))
        assert client.flows == MAX_FLOWS
        assert memory() - before < MAX_WAITING + MAX_FLOWS * 1_000
    finally:
        tracemalloc.stop()
    client.close()


# ---- a hostile client -------------------------------------------------------------------------------------


class Sink:
    def send(self, datagram: bytes) -> None:
        pass

    def close(self) -> None:
        pass


class Narrow:
    """A channel whose client never reads."""

    def __init__(self) -> None:
        self.room = INITIAL_WINDOW
        self.sent = 0

    def send(self, data: bytes) -> None:
        self.room -= len(data)
        self.sent += len(data)

    def wait(self) -> None:
        pass


def serve(endpoint: UdpgwEndpoint, channel: Narrow) -> None:
    endpoint.opened(cast("Channel", channel))


async def test_flows_have_a_bound_and_a_small_price() -> None:
    limits = DEFAULT_TRAFFIC_RULES.limits_for(ClientTraits(tunnel_protocol="OSSH"))
    opened: list[int] = []

    def open_flow(host: str, port: int, received: object) -> Sink:
        opened.append(port)
        return Sink()

    gate = Gate(Exits(Egress(allow_bogons=False)), limits, Counter())
    endpoint = UdpgwEndpoint(gate, "192.0.2.53", open_flow=open_flow)
    serve(endpoint, Narrow())
    tracemalloc.start()
    try:
        before = memory()
        for number in range(5_000):
            endpoint.data(memoryview(encode_frame(Frame(number % 65_536, V4, 1 + number, b"x"))))
        opened.clear()
        grown = memory() - before
    finally:
        tracemalloc.stop()
    assert grown < limits.max_udp * 1_500
    endpoint.closed(None)


async def test_a_client_that_does_not_read_parks_little() -> None:
    limits = DEFAULT_TRAFFIC_RULES.limits_for(ClientTraits(tunnel_protocol="OSSH"))
    receivers = []

    def open_flow(host: str, port: int, received: object) -> Sink:
        receivers.append(received)
        return Sink()

    channel = Narrow()
    gate = Gate(Exits(Egress(allow_bogons=False)), limits, Counter())
    endpoint = UdpgwEndpoint(gate, "192.0.2.53", open_flow=open_flow)
    serve(endpoint, channel)
    for number in range(100):
        endpoint.data(memoryview(encode_frame(Frame(number, V4, 1 + number, b"x"))))
    tracemalloc.start()
    try:
        before = memory()
        for _ in range(50):
            for receive in receivers:
                receive(bytes(1_200))  # type: ignore[operator]
        assert memory() - before < MAX_REPLIES + 64 * 1024
    finally:
        tracemalloc.stop()
    assert channel.sent <= INITIAL_WINDOW
    endpoint.closed(None)


# ---- a neighbour ------------------------------------------------------------------------------------------


class Tcp(FakeTcp):
    def get_extra_info(self, name: str, default: object = None) -> object:
        return {"sockname": ("127.0.0.1", 1080), "peername": ("127.0.0.1", 40_000)}.get(name, default)


async def test_an_association_is_for_whom_it_was_made() -> None:
    async with MemoryTunnel(answers=False) as tunnel:
        tcp = Tcp(SocksConnection(tunnel, ProxyOptions()))
        tcp.arrive(b"\5\1\0\5\3\0\1\0\0\0\0\0\0")
        reply = bytes(tcp.written)[2:]
        assert reply[:8] == b"\5\0\0\1\x7f\0\0\1"
        relay = "127.0.0.1", int.from_bytes(reply[8:], "big")
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as program,
        ):
            stranger.bind(("127.0.0.2", 0))
            for _ in range(10):
                stranger.sendto(udp_head("8.8.4.4", 443) + b"x", relay)
            await settle()
            assert tunnel.destinations == []
            program.sendto(udp_head("8.8.4.4", 443) + b"x", relay)
            await settle()
            assert len(tunnel.destinations) == 1
        tcp.abort()
        await settle()


async def test_associations_that_say_nothing_cost_little_and_leave_nothing() -> None:
    async with MemoryTunnel(answers=False) as tunnel:
        tracemalloc.start()
        try:
            before = memory()
            connections = []
            for _ in range(100):
                connections.append(Tcp(SocksConnection(tunnel, ProxyOptions())))
                connections[-1].arrive(b"\5\1\0\5\3\0\1\0\0\0\0\0\0")
            assert memory() - before < 100 * 5_000
            await asyncio.sleep(3_600)
            assert not any(tcp.lost for tcp in connections)  # its TCP connection is all that ends one
            for tcp in connections:
                tcp.abort()
            await settle()
            connections.clear()
            del tcp
            assert memory() - before < 20_000
        finally:
            tracemalloc.stop()
