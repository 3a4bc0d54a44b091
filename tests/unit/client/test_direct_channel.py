"""A stream that behaves like a channel: what an endpoint hears of it."""

import pytest
from tests.memory_network import settle

from headrace.base.errors import NetworkError
from headrace.client.direct_channel import DirectChannel
from headrace.net.streams import SocketStream
from headrace.testing.fake_tcp import FakeTcp
from headrace.testing.peers import RecordingEndpoint

pytestmark = pytest.mark.virtual_time


class Rig:
    def __init__(self, *, stuck: bool = False) -> None:
        import asyncio

        self.stream = SocketStream()
        self.tcp = FakeTcp(self.stream, stuck=stuck)
        self.endpoint = RecordingEndpoint()
        self.channel = DirectChannel(self.stream, self.endpoint, asyncio.get_running_loop())


async def test_both_ways() -> None:
    rig = Rig()
    rig.channel.send(b"up")
    assert rig.channel.room == 0
    rig.tcp.arrive(b"down")
    await settle()
    assert rig.channel.room > 0
    assert rig.tcp.written == b"up"
    assert rig.endpoint.received == b"down"
    assert rig.endpoint.events == []


async def test_those_who_wait_are_told() -> None:
    rig = Rig()
    rig.channel.send(memoryview(b"up"))
    rig.channel.wait()
    await settle()
    assert rig.endpoint.events == [("writable",)]


async def test_a_full_socket_leaves_no_room() -> None:
    rig = Rig(stuck=True)
    rig.channel.send(bytes(1_000_000))
    rig.channel.wait()
    await settle()
    assert rig.channel.room == 0
    rig.tcp.drain()
    await settle()
    assert rig.endpoint.events == [("writable",)]


async def test_held_back() -> None:
    rig = Rig()
    rig.channel.hold()
    rig.tcp.arrive(b"down")
    await settle()
    assert rig.endpoint.received == b""
    rig.channel.release()
    await settle()
    assert rig.endpoint.received == b"down"


async def test_the_end() -> None:
    rig = Rig()
    rig.tcp.arrive(b"last")
    rig.tcp.finish()
    await settle()
    assert rig.endpoint.received == b"last"
    assert rig.endpoint.events == [("closed", None)]
    assert rig.tcp.lost


async def test_a_break() -> None:
    rig = Rig()
    rig.stream.connection_lost(ConnectionResetError())
    await settle()
    ((name, error),) = rig.endpoint.events
    assert name == "closed"
    assert isinstance(error, NetworkError)
    rig.channel.send(b"too late")
    await settle()


async def test_closed_from_here() -> None:
    rig = Rig(stuck=True)
    rig.channel.send(bytes(1_000_000))
    await settle()
    rig.channel.close()
    await settle()
    assert rig.endpoint.events == []
    assert "close" in rig.tcp.log
