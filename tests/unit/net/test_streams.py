"""Streams over channels and sockets: order, ends, errors, and back-pressure in both directions."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from headrace.base.errors import ConnectTimeout, NetworkError
from headrace.net.dial import dial, listen
from headrace.net.streams import ChannelStream, ForwardRefused, SocketStream
from headrace.ssh import numbers
from headrace.ssh.channel import MAX_WINDOW, Channel, Endpoint
from headrace.ssh.forwarding import Destination
from headrace.testing.memory_tunnel import MemoryTunnel

pytestmark = pytest.mark.both_loops


@pytest_asyncio.fixture
async def far_ends() -> AsyncIterator["FarEnds"]:
    """A TCP server whose connections are streams."""
    ends = FarEnds()
    server = await listen(ends.accept, "127.0.0.1", 0, what="the far end")
    ends.port = server.sockets[0].getsockname()[1]
    try:
        yield ends
    finally:
        server.close()
        for stream in ends.all:
            stream.abort()
            await stream.gone.wait()


@pytest_asyncio.fixture
async def tunnel() -> AsyncIterator[MemoryTunnel]:
    async with MemoryTunnel() as tunnel:
        yield tunnel


class Stream(SocketStream):
    def __init__(self) -> None:
        super().__init__()
        self.gone = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.gone.set()


class FarEnds:
    def __init__(self) -> None:
        self.port = 0
        self.all: list[Stream] = []
        self.accepted = asyncio.Event()

    def accept(self) -> SocketStream:
        self.all.append(Stream())
        self.accepted.set()
        return self.all[-1]

    async def open(self, tunnel: MemoryTunnel) -> tuple[ChannelStream, SocketStream]:
        """Open a port forward to here; return its two ends."""
        near = await ChannelStream.open(
            lambda endpoint: tunnel.open_forward(Destination("127.0.0.1", self.port), endpoint)
        )
        return near, self.all[-1]


async def take(stream: ChannelStream | SocketStream, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = await stream.read(size - len(data))
        assert piece
        data += piece
    return data


async def test_bytes_pass_both_ways_and_then_both_ends(far_ends: FarEnds, tunnel: MemoryTunnel) -> None:
    near, far = await far_ends.open(tunnel)
    await near.write(b"up")
    await far.write(b"down")
    assert await take(far, 2) == b"up"
    assert await take(near, 4) == b"down"
    assert near.quiet
    near.write_eof()
    assert await far.read() == b""
    await far.write(b"after the end")
    assert await take(near, 13) == b"after the end"
    far.write_eof()
    assert await near.read() == b""
    assert not near.quiet


async def test_a_read_takes_no_more_than_it_wants(far_ends: FarEnds, tunnel: MemoryTunnel) -> None:
    near, far = await far_ends.open(tunnel)
    await far.write(b"abcdef")
    assert [await near.read(2), await near.read(3), await near.read(3)] == [b"ab", b"cde", b"f"]


async def test_a_lot_passes_whole(far_ends: FarEnds, tunnel: MemoryTunnel) -> None:
    near, far = await far_ends.open(tunnel)
    data = bytes(range(256)) * 20_000
    async with asyncio.TaskGroup() as group:
        group.create_task(near.write(data))
        received = group.create_task(take(far, len(data)))
    assert received.result() == data
    async with asyncio.TaskGroup() as group:
        group.create_task(far.write(data))
        received = group.create_task(take(near, len(data)))
    assert received.result() == data


async def test_writing_waits_for_the_far_reader(far_ends: FarEnds, tunnel: MemoryTunnel) -> None:
    near, far = await far_ends.open(tunnel)
    sent = 0
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            while True:
                await near.write(bytes(65_536))
                sent += 65_536
    assert sent < 32 * 1024 * 1024  # the system's socket buffers are most of it
    await take(far, sent)


async def test_a_reader_that_is_behind_grants_no_window(far_ends: FarEnds, tunnel: MemoryTunnel) -> None:
    near, far = await far_ends.open(tunnel)
    writing = asyncio.create_task(far.write(bytes(64 * 1024 * 1024)))
    await asyncio.wait([writing], timeout=0.5)
    assert near._size <= MAX_WINDOW + 256 * 1024
    writing.cancel()


async def test_a_refused_forward_says_why(tunnel: MemoryTunnel) -> None:
    with pytest.raises(ForwardRefused) as caught:
        await ChannelStream.open(lambda endpoint: tunnel.open_forward(Destination("127.0.0.1", 1), endpoint))
    assert caught.value.reason == numbers.CONNECT_FAILED


async def test_a_forward_that_opens_too_late_is_closed() -> None:
    tunnel = MemoryTunnel(answers=False)
    with pytest.raises(ConnectTimeout):
        await ChannelStream.open(
            lambda endpoint: tunnel.open_forward(Destination("127.0.0.1", 9), endpoint), timeout=0.01
        )
    late = Recording()
    tunnel.channels[0].accept(late)
    await asyncio.wait_for(late.closed_event.wait(), 5)


class Recording(Endpoint):
    """The far end of a channel, waiting for it to be closed."""

    def __init__(self) -> None:
        self.closed_event = asyncio.Event()

    def opened(self, channel: Channel) -> None: ...
    def refused(self, reason: int, text: str) -> None: ...
    def data(self, view: memoryview) -> None: ...
    def pause(self) -> None: ...
    def writable(self) -> None: ...
    def eof(self) -> None: ...
    def closed(self, error: Exception | None) -> None:
        self.closed_event.set()


async def test_a_lost_tunnel_is_an_error_after_what_arrived(far_ends: FarEnds, tunnel: MemoryTunnel) -> None:
    near, far = await far_ends.open(tunnel)
    await far.write(b"last words")
    assert await near.read(4) == b"last"
    tunnel.lose()
    assert await near.read() == b" words"
    with pytest.raises(NetworkError):
        await near.read()
    with pytest.raises(NetworkError):
        await near.write(b"x")


async def test_who_waits_is_told_of_the_loss(far_ends: FarEnds, tunnel: MemoryTunnel) -> None:
    near, _ = await far_ends.open(tunnel)
    reading = asyncio.create_task(near.read())
    writing = asyncio.create_task(near.write(bytes(256 * 1024 * 1024)))
    await asyncio.wait([writing], timeout=0.2)
    tunnel.lose()
    for task in (reading, writing):
        with pytest.raises(NetworkError):
            await task


async def test_closing_ends_both_sides(far_ends: FarEnds, tunnel: MemoryTunnel) -> None:
    near, far = await far_ends.open(tunnel)
    await near.write(b"bye")
    near.close()
    near.close()
    assert await near.read() == b""
    assert await take(far, 3) == b"bye"
    assert await far.read() == b""


async def test_finish_delivers_the_answer_to_a_peer_that_still_sends(far_ends: FarEnds) -> None:
    near = await dial("127.0.0.1", far_ends.port, SocketStream, timeout=5)
    await near.write(bytes(100_000))
    await far_ends.accepted.wait()
    far = far_ends.all[0]
    await far.write(b"enough")
    finishing = asyncio.create_task(far.finish(5))
    assert await take(near, 6) == b"enough"
    assert await near.read() == b""
    near.close()
    await finishing


async def test_an_aborted_socket_is_no_regular_end(far_ends: FarEnds) -> None:
    near = await dial("127.0.0.1", far_ends.port, SocketStream, timeout=5)
    await near.write(b"hello")
    await far_ends.accepted.wait()
    await take(far_ends.all[0], 5)
    far_ends.all[0].abort()
    with pytest.raises(NetworkError):
        await near.read()
    near.close()
