"""A transport on a channel does what asyncio's own do on a socket, between two SSH machines in memory."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.base.errors import NetworkError
from headrace.embed.channel_transport import ChannelTransport
from headrace.ssh.channel import INITIAL_WINDOW
from headrace.testing.peers import RecordingEndpoint, SshPair


class Recorder(asyncio.Protocol):
    """Notes what it is told."""

    def __init__(self, *, keep_open: bool = False) -> None:
        self.received = bytearray()
        self.events: list[object] = []
        self.keep_open = keep_open

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.events.append("made")

    def data_received(self, data: bytes) -> None:
        self.received += data

    def eof_received(self) -> bool:
        self.events.append("eof")
        return self.keep_open

    def pause_writing(self) -> None:
        self.events.append("pause")

    def resume_writing(self) -> None:
        self.events.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        self.events.append(exc if exc is None else type(exc))


class Buffered(asyncio.BufferedProtocol):
    """Takes a few bytes at a time."""

    def __init__(self) -> None:
        self.received = bytearray()
        self._buffer = bytearray(7)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.received += self._buffer[:nbytes]


class Rig:
    """A transport with its protocol, and the far end of its channel."""

    def __init__(self, protocol: asyncio.BaseProtocol | None = None) -> None:
        loop = asyncio.get_running_loop()
        self.pair = SshPair()
        self.pair.start().run()
        self.recorder = protocol if isinstance(protocol, Recorder) else Recorder()
        self.transport = ChannelTransport(loop, protocol or self.recorder, ("example.org", 80))
        connection = self.pair.client.connection
        assert connection is not None
        self.connection = connection
        connection.open(b"direct-tcpip", b"", self.transport)
        self.pair.run()
        self.far: RecordingEndpoint = self.pair.accepted[-1][2]

    @property
    def events(self) -> list[object]:
        return self.recorder.events

    def say(self, data: bytes) -> None:
        """Have the far end send."""
        assert self.far.channel is not None
        self.far.channel.send(data)
        self.pair.run()

    async def settle(self) -> None:
        for _ in range(3):
            self.pair.run()
            await asyncio.sleep(0)

    def stall(self) -> None:
        """Have the far end read no more than its window."""
        assert self.far.channel is not None
        self.far.channel.hold()

    def go_on(self) -> None:
        assert self.far.channel is not None
        self.far.channel.release()
        self.pair.run()


async def test_bytes_pass_both_ways() -> None:
    rig = Rig()
    rig.transport.write(b"one")
    rig.transport.writelines([b"two", memoryview(b"three")])
    rig.say(b"four")
    await rig.settle()
    assert rig.far.received == b"onetwothree"
    assert rig.recorder.received == b"four"
    assert rig.events == ["made"]
    assert rig.transport.get_extra_info("peername") == ("example.org", 80)
    assert rig.transport.get_protocol() is rig.recorder


async def test_half_close_passes_both_ways() -> None:
    rig = Rig(Recorder(keep_open=True))
    assert rig.transport.can_write_eof()
    rig.transport.write_eof()
    rig.transport.write_eof()
    await rig.settle()
    assert rig.far.events == [("eof",)]
    rig.say(b"and yet")
    assert rig.recorder.received == b"and yet"
    assert rig.far.channel is not None
    rig.far.channel.eof()
    await rig.settle()
    assert rig.events == ["made", "eof"]
    assert not rig.transport.is_closing()
    with pytest.raises(RuntimeError, match="after write_eof"):
        rig.transport.write(b"more")


async def test_an_end_closes_unless_the_protocol_keeps_it_open() -> None:
    rig = Rig()
    assert rig.far.channel is not None
    rig.far.channel.eof()
    await rig.settle()
    assert rig.events == ["made", "eof", None]
    assert rig.far.events[-1] == ("closed", None)
    assert rig.connection.channels == {}


async def test_a_protocol_that_writes_too_much_is_paused() -> None:
    rig = Rig()
    rig.stall()
    rig.transport.write(bytes(INITIAL_WINDOW + 100_000))
    await rig.settle()
    assert rig.transport.get_write_buffer_size() == 100_000
    assert rig.events == ["made", "pause"]
    rig.transport.write(b"x" * 1000)
    rig.go_on()
    assert len(rig.far.received) == INITIAL_WINDOW + 101_000
    assert rig.events == ["made", "pause", "resume"]
    assert rig.transport.get_write_buffer_size() == 0


async def test_what_was_written_leaves_before_the_end() -> None:
    rig = Rig()
    rig.stall()
    rig.transport.write(bytes(INITIAL_WINDOW + 10))
    rig.transport.write_eof()
    await rig.settle()
    assert rig.far.events == []
    rig.go_on()
    assert len(rig.far.received) == INITIAL_WINDOW + 10
    assert rig.far.events == [("eof",)]


async def test_close_flushes() -> None:
    rig = Rig()
    rig.stall()
    rig.transport.write(bytes(INITIAL_WINDOW + 10))
    rig.transport.close()
    rig.transport.close()
    await rig.settle()
    assert rig.transport.is_closing()
    assert rig.events == ["made"]
    rig.say(bytes(INITIAL_WINDOW))  # of no interest any more, and not in the way either
    rig.say(b"more")
    rig.go_on()
    await rig.settle()
    assert rig.recorder.received == b""
    assert len(rig.far.received) == INITIAL_WINDOW + 10
    assert rig.events == ["made", None]
    assert rig.connection.channels == {}


async def test_abort_drops_what_is_unwritten() -> None:
    rig = Rig()
    rig.stall()
    rig.transport.write(bytes(INITIAL_WINDOW + 10))
    rig.transport.abort()
    rig.transport.abort()
    rig.transport.write(b"ignored")
    await rig.settle()
    assert len(rig.far.received) == INITIAL_WINDOW
    assert rig.events == ["made", None]
    assert rig.connection.channels == {}


async def test_while_reading_is_paused_what_comes_waits_and_the_far_end_too() -> None:
    rig = Rig(Recorder(keep_open=True))
    rig.transport.pause_reading()
    assert not rig.transport.is_reading()
    assert rig.far.channel is not None
    for number in range(4):
        rig.say(bytes([number]) * (INITIAL_WINDOW // 4))
    assert rig.far.channel.room == 0
    rig.far.channel.eof()
    await rig.settle()
    assert rig.recorder.received == b""
    assert rig.events == ["made"]
    rig.transport.resume_reading()
    rig.transport.resume_reading()
    assert rig.recorder.received == b""  # not from within the call
    await rig.settle()
    assert rig.recorder.received == b"".join(bytes([n]) * (INITIAL_WINDOW // 4) for n in range(4))
    assert rig.events == ["made", "eof"]
    assert rig.far.channel.room > 0


async def test_a_far_end_that_closes_has_its_last_words_read() -> None:
    rig = Rig()
    rig.transport.pause_reading()
    rig.say(b"last words")
    assert rig.far.channel is not None
    rig.far.channel.close()
    await rig.settle()
    assert rig.events == ["made"]
    rig.transport.resume_reading()
    await rig.settle()
    assert rig.recorder.received == b"last words"
    assert rig.events == ["made", "eof", None]


async def test_nobody_takes_what_is_unwritten_when_the_far_end_closes() -> None:
    rig = Rig(Recorder(keep_open=True))
    rig.stall()
    rig.transport.write(bytes(INITIAL_WINDOW + 10))
    rig.pair.run()
    assert rig.far.channel is not None
    rig.far.channel.close()
    await rig.settle()
    assert rig.events == ["made", "eof", BrokenPipeError]


@pytest.mark.parametrize("reading", [True, False])
async def test_a_lost_tunnel_is_a_reset(reading: bool) -> None:
    rig = Rig()
    if not reading:
        rig.transport.pause_reading()
    rig.connection.lost(NetworkError("the tunnel broke"))
    await rig.settle()
    assert rig.events == ["made", ConnectionResetError]
    rig.transport.write(b"ignored")
    rig.transport.close()
    await rig.settle()
    assert rig.events == ["made", ConnectionResetError]


async def test_a_buffered_protocol_gets_its_own_buffer_filled() -> None:
    protocol = Buffered()
    rig = Rig(protocol)
    rig.say(b"more than seven bytes")
    assert protocol.received == b"more than seven bytes"


async def test_a_mistake_of_the_protocol_ends_its_connection_and_not_the_tunnel() -> None:
    class Wrong(Recorder):
        def data_received(self, data: bytes) -> None:
            raise ZeroDivisionError

    told: list[dict[str, object]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: told.append(context))
    rig = Rig(Wrong())
    rig.say(b"x")
    await rig.settle()
    assert rig.events == ["made", ZeroDivisionError]
    assert [type(context["exception"]) for context in told] == [ZeroDivisionError]
    assert rig.connection.channels == {}
    endpoint, _ = rig.pair.open()
    assert endpoint.events == [("opened",)]


async def test_another_protocol_can_take_over() -> None:
    rig, other = Rig(), Recorder()
    rig.transport.set_protocol(other)
    rig.say(b"for the other")
    rig.transport.close()
    await rig.settle()
    assert other.received == b"for the other"
    assert other.events == [None]


@given(st.lists(st.tuples(st.sampled_from("wspr"), st.integers(1, 200_000)), max_size=20))
def test_nothing_is_lost_or_out_of_order(steps: Sequence[tuple[str, int]]) -> None:
    async def check() -> None:
        rig = Rig()
        sent = b"".join(bytes([number % 251]) * size for number, (_, size) in enumerate(steps))
        at = 0
        for number, (step, size) in enumerate(steps):
            piece = bytes([number % 251]) * size
            at += size
            rig.transport.write(piece)
            if step == "s":
                rig.stall()
            elif step == "r":
                rig.go_on()
            elif step == "p":
                await rig.settle()
        rig.transport.close()
        rig.go_on()
        await rig.settle()
        assert rig.far.received == sent
        assert rig.connection.channels == {}

    asyncio.run(check())
