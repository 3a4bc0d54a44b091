"""The client's end of udpgw: one channel for all, reopened when it is needed, and flows that outlive it."""

import asyncio

import pytest
from tests.memory_network import settle
from tests.unit.client.udpgw_server import ScriptedServer

from headrace.client.udp_flows import MAX_FLOWS
from headrace.client.udpgw_client import GATEWAY, SHARE, UdpgwClient
from headrace.codec.udpgw import MAX_DATAGRAM, Frame, encode_keepalive

pytestmark = pytest.mark.virtual_time

V4, OTHER, V6 = bytes([8, 8, 4, 4]), bytes([8, 8, 8, 8]), bytes.fromhex("20014860486000000000000000008888")


class Owner:
    def __init__(self) -> None:
        self.arrived: list[tuple[bytes, int, bytes]] = []

    def received(self, address: bytes, port: int, datagram: bytes) -> None:
        self.arrived.append((address, port, datagram))


def make(*, tunnel: bool = True) -> tuple[ScriptedServer, UdpgwClient, Owner]:
    server = ScriptedServer()
    if tunnel:
        server.tunnel()
    return server, UdpgwClient(server.open_forward, asyncio.get_running_loop()), Owner()


async def test_there_and_back() -> None:
    server, client, owner = make()
    client.send(owner, V4, 443, b"one")
    client.send(owner, V4, 443, b"two")
    client.send(owner, V6, 443, b"six")
    client.send(owner, V4, 53, b"question", dns=True)
    await settle()
    assert server.asked == [(0.0, GATEWAY)]
    assert server.frames == [
        Frame(0, V4, 443, b"one", rebind=True),
        Frame(0, V4, 443, b"two", rebind=False),
        Frame(1, V6, 443, b"six", rebind=True),
        Frame(2, V4, 53, b"question", rebind=True, dns=True),
    ]
    server.send(Frame(1, V6, 443, b"xis"), Frame(0, V4, 443, b""), Frame(2, V4, 53, b"answer"))
    await settle()
    assert owner.arrived == [(V6, 443, b"xis"), (V4, 443, b""), (V4, 53, b"answer")]
    client.close()


async def test_nothing_is_asked_for_before_anybody_sends() -> None:
    server, client, _ = make()
    await asyncio.sleep(100)
    client.tunnels_changed()
    assert server.asked == []
    client.close()


async def test_what_a_server_sends_to_nobody_is_ignored() -> None:
    server, client, owner = make()
    client.send(owner, V4, 443, b"x")
    await settle()
    server.send(
        Frame(1, V4, 443, b"no such flow"),
        Frame(65_535, V4, 443, b"no such flow"),
        Frame(0, OTHER, 443, b"from somebody else"),
        Frame(0, V4, 444, b"from somebody else"),
        encode_keepalive(),
        Frame(0, V4, 443, b"right"),
    )
    await settle()
    assert owner.arrived == [(V4, 443, b"right")]
    client.close()


async def test_a_full_table_costs_only_the_oldest_flow() -> None:
    server, client, owner = make()
    for port in range(1, MAX_FLOWS + 1):
        client.send(owner, V4, port, b"x")
        await asyncio.sleep(0)
    client.send(owner, V4, 1, b"x")  # so 2 is the oldest
    client.send(owner, OTHER, 9, b"new")
    await settle()
    assert client.flows == MAX_FLOWS
    assert server.frames[-1] == Frame(1, OTHER, 9, b"new", rebind=True)
    server.frames.clear()
    server.send(
        Frame(1, V4, 2, b"late"), *(Frame(port - 1, V4, port, b"y") for port in range(3, MAX_FLOWS + 1))
    )
    await settle()
    assert [port for _, port, _ in owner.arrived] == list(range(3, MAX_FLOWS + 1))
    client.send(owner, V4, 3, b"still")
    await settle()
    assert server.frames == [Frame(2, V4, 3, b"still")]
    client.close()


async def test_keep_alives_while_there_is_nothing_to_send_and_an_end_when_nobody_is_left() -> None:
    server, client, owner = make()
    client.send(owner, V4, 443, b"x")
    await settle()
    server.raw.clear()
    await asyncio.sleep(9.9)
    assert not server.raw
    await asyncio.sleep(0.2)
    assert bytes(server.raw) == encode_keepalive()
    await asyncio.sleep(5)
    client.send(owner, V4, 443, b"")
    server.raw.clear()
    await asyncio.sleep(9.9)
    assert not server.raw.endswith(encode_keepalive())
    await asyncio.sleep(0.2)
    assert server.raw.endswith(encode_keepalive())
    client.release(owner)
    assert server.open
    await asyncio.sleep(10)
    assert not server.open
    assert len(server.asked) == 1
    client.send(owner, V4, 443, b"again")
    await settle()
    assert server.frames[-1] == Frame(1, V4, 443, b"again", rebind=True)
    client.close()


async def test_without_a_tunnel_a_few_datagrams_of_each_flow_wait() -> None:
    server, client, owner = make(tunnel=False)
    for number in range(SHARE + 3):
        client.send(owner, V4, 443, b"%d" % number)
        await asyncio.sleep(0.1)
    client.send(owner, V4, 444, b"other")
    await asyncio.sleep(5)
    assert [round(when) for when, _ in server.asked] == [0, 5]
    server.tunnel()
    client.tunnels_changed()
    await settle()
    assert [frame.datagram for frame in server.frames] == [
        *(b"%d" % number for number in range(SHARE)),
        b"other",
    ]
    assert [frame.rebind for frame in server.frames] == [True] + [False] * (SHARE - 1) + [True]
    client.close()


async def test_a_refused_channel_is_asked_for_again_after_a_while() -> None:
    server, client, owner = make()
    server.refuses = True
    client.send(owner, V4, 443, b"x")
    await asyncio.sleep(11)
    assert [round(when, 3) for when, _ in server.asked] == [0, 5, 10]
    server.refuses = False
    await asyncio.sleep(5)
    assert [frame.datagram for frame in server.frames] == [b"x"]
    client.close()


@pytest.mark.parametrize("how", ["tunnel", "channel", "half", "garbage"])
async def test_flows_go_on_over_the_next_channel(how: str) -> None:
    server, client, owner = make()
    client.send(owner, V4, 443, b"one")
    await settle()
    if how == "tunnel":
        server.lose()
        server.tunnel()
    elif how == "channel":
        server.hang_up()
    elif how == "half":
        server.say_no_more()
    else:
        server.send(b"\0\0")
    await settle()
    client.send(owner, V4, 443, b"two")
    await asyncio.sleep(4.9)
    assert len(server.asked) == 1
    await asyncio.sleep(0.2)
    assert server.frames[1:] == [Frame(0, V4, 443, b"two")]
    server.send(Frame(0, V4, 443, b"three"))
    await settle()
    assert owner.arrived == [(V4, 443, b"three")]
    client.close()


async def test_another_tunnel_is_used_at_once() -> None:
    server, client, owner = make()
    client.send(owner, V4, 443, b"one")
    await settle()
    server.lose()
    client.tunnels_changed()  # one less, and no other
    assert len(server.asked) == 2
    server.tunnel()
    client.tunnels_changed()
    await settle()
    assert (server.open, len(server.asked)) == (True, 3)
    client.tunnels_changed()  # which is nothing to this channel
    await settle()
    assert len(server.asked) == 3
    client.close()


async def test_nobody_left_means_no_further_try() -> None:
    server, client, owner = make(tunnel=False)
    client.send(owner, V4, 443, b"x")
    client.release(owner)
    await asyncio.sleep(60)
    assert len(server.asked) == 1
    client.close()


async def test_what_does_not_fit_waits_for_room() -> None:
    server, client, owner = make()
    client.send(owner, V4, 443, b"one")
    await settle()
    server.block(True)
    client.send(owner, V4, 443, b"two")
    await settle()
    assert len(server.frames) == 1
    server.block(False)
    await settle()
    assert [frame.datagram for frame in server.frames] == [b"one", b"two"]
    client.close()


async def test_datagrams_beyond_the_protocol_are_dropped() -> None:
    server, client, owner = make()
    client.send(owner, V4, 443, bytes(MAX_DATAGRAM + 1))
    client.send(owner, V4, 443, bytes(MAX_DATAGRAM))
    await settle()
    assert [len(frame.datagram) for frame in server.frames] == [MAX_DATAGRAM]
    client.close()


@pytest.mark.parametrize("when", ["open", "opening", "waiting"])
async def test_an_end_leaves_nothing(when: str) -> None:
    server, client, owner = make(tunnel=when != "waiting")
    client.send(owner, V4, 443, b"x")
    if when == "open":
        await settle()
    client.close()
    client.send(owner, V4, 443, b"y")
    await asyncio.sleep(60)
    assert not server.open
    assert len(server.asked) == 1
    assert [frame.datagram for frame in server.frames] == [b"x"] * (when == "open")
