"""Channels: windows, back-pressure, half-close, refusals, and what happens at the end."""

import pytest
from tests.unit.ssh.tools import connected, connections, inject, refused

from headrace.base.errors import LocalProtocolError
from headrace.ssh import numbers
from headrace.ssh.channel import INITIAL_WINDOW, MAX_DATA, MAX_WINDOW, MIN_LIMIT, Channel
from headrace.ssh.wire import string, u32
from headrace.testing.peers import RecordingEndpoint, SshPair


class Holding(RecordingEndpoint):
    """An endpoint that falls behind as soon as it gets anything."""

    def data(self, view: memoryview) -> None:
        super().data(view)
        assert self.channel is not None
        self.channel.hold()


class Talker(RecordingEndpoint):
    """An endpoint that sends whatever there is room for, like a socket with an endless supply."""

    def __init__(self, total: int) -> None:
        super().__init__()
        self.left = total

    def pump(self) -> None:
        assert self.channel is not None
        while self.left:
            room = min(self.channel.room, self.left, 4 * MAX_DATA)
            if not room:
                self.channel.wait()
                return
            self.left -= room
            self.send(bytes(room))

    def opened(self, channel: Channel) -> None:
        super().opened(channel)
        self.pump()

    def writable(self) -> None:
        super().writable()
        self.pump()


def message(number: int, *words: int, tail: bytes = b"") -> bytes:
    return bytes((number,)) + b"".join(map(u32, words)) + tail


def open_talker(pair: SshPair, total: int) -> Talker:
    talker = Talker(total)
    connections(pair)[0].open(b"direct-tcpip", b"", talker)
    return talker


# ---- opening --------------------------------------------------------------------------------------------


def test_opening() -> None:
    pair = connected()
    endpoint, channel = pair.open(b"kind", b"extra data")
    assert endpoint.events == [("opened",)]
    assert pair.accepted[0][:2] == (b"kind", b"extra data")
    assert channel.open
    assert channel.room == INITIAL_WINDOW


@pytest.mark.parametrize("reason", [1, 2, 3, 4, numbers.SPLIT_TUNNEL])
def test_refusals_carry_their_reason(reason: int) -> None:
    pair = connected(accept=lambda channel, kind, extra: channel.refuse(reason, "näh"))
    endpoint, _channel = pair.open()
    assert endpoint.events == [("refused", reason, "näh")]
    assert all(not connection.channels for connection in connections(pair))


def test_a_refusal_with_text_in_another_encoding() -> None:
    pair = connected(accept=lambda channel, kind, extra: None)
    endpoint, channel = pair.open()
    inject(
        pair.server,
        pair.client,
        message(numbers.CHANNEL_OPEN_FAILURE, channel.local, 1, tail=string(b"\xff") + string(b"")),
    )
    assert endpoint.events == [("refused", 1, "\N{REPLACEMENT CHARACTER}")]


def test_accepting_later() -> None:
    pending: list[Channel] = []
    pair = connected(accept=lambda channel, kind, extra: pending.append(channel))
    endpoint, _channel = pair.open()
    assert endpoint.events == []
    far = RecordingEndpoint(channel=pending[0])
    pending[0].accept(far)
    far.send(b"at once")
    pair.run()
    assert endpoint.events == [("opened",)]
    assert endpoint.received == b"at once"


@pytest.mark.parametrize("limit", [0, 1, MIN_LIMIT - 1])
def test_packet_limits_too_small(limit: int) -> None:
    pair = connected()
    with refused(2, "packet limit"):
        inject(
            pair.client,
            pair.server,
            message(numbers.CHANNEL_OPEN, tail=string(b"x") + u32(0) + u32(1000) + u32(limit)),
        )


@pytest.mark.parametrize("limit", [MIN_LIMIT, 5000, MAX_DATA, 0xFFFFFFFF])
def test_packet_limits_are_kept(limit: int) -> None:
    pair = connected()
    sizes: list[int] = []
    inject(
        pair.client,
        pair.server,
        message(numbers.CHANNEL_OPEN, tail=string(b"x") + u32(7) + u32(1 << 20) + u32(limit)),
    )
    pair.client.transport.table[numbers.CHANNEL_OPEN_CONFIRMATION] = lambda payload: None
    pair.client.transport.table[numbers.CHANNEL_DATA] = lambda payload: sizes.append(len(payload) - 9)
    far = pair.accepted[0][2]
    assert far.channel is not None
    far.send(bytes(100_000))
    far.channel.send(bytes(100_000))
    pair.run()
    assert sum(sizes) == 200_000
    assert max(sizes) == min(limit, MAX_DATA)


# ---- the window we may use ------------------------------------------------------------------------------


def test_the_window_runs_out_and_is_given_back() -> None:
    pair = connected(accept=lambda channel, kind, extra: channel.accept(holding(channel)))
    held: list[Holding] = []

    def holding(channel: Channel) -> Holding:
        held.append(Holding(channel=channel))
        return held[-1]

    talker = open_talker(pair, 3 * INITIAL_WINDOW)
    pair.run()
    assert len(held[0].received) == INITIAL_WINDOW
    assert talker.channel is not None and talker.channel.room == 0
    assert talker.channel.waiting
    with pytest.raises(LocalProtocolError):
        talker.channel.send(b"x")
    with pytest.raises(LocalProtocolError):
        talker.send(b"x")
    for _ in range(2):
        assert held[0].channel is not None
        held[0].channel.release()
        pair.run()
    assert len(held[0].received) == 3 * INITIAL_WINDOW
    assert talker.events.count(("writable",)) == 2


def test_a_peer_that_holds_gives_no_window() -> None:
    pair = connected()
    endpoint, _channel = pair.open()
    far = pair.accepted[0][2].channel
    assert far is not None
    far.hold()
    endpoint.send(bytes(INITIAL_WINDOW))
    pair.run()
    assert endpoint.channel is not None and endpoint.channel.room == 0
    far.release()
    pair.run()
    assert endpoint.channel.room == INITIAL_WINDOW
    far.release()
    assert not pair.server.take()


def test_the_window_grows_while_the_endpoint_keeps_up() -> None:
    pair = connected()
    talker = open_talker(pair, 20 * MAX_WINDOW)
    pair.run()
    far = pair.accepted[0][2]
    assert len(far.received) == 20 * MAX_WINDOW
    assert far.channel is not None
    assert far.channel._window_size == MAX_WINDOW
    assert talker.channel is not None
    assert MAX_WINDOW // 2 <= talker.channel.room <= MAX_WINDOW


def test_what_is_granted_and_consumed_always_adds_up() -> None:
    pair = connected()
    open_talker(pair, 3 * MAX_WINDOW)
    original = Channel.on_data

    def checking(self: Channel, view: memoryview) -> None:
        original(self, view)
        assert self._window_in + self._consumed == self._window_size <= MAX_WINDOW

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Channel, "on_data", checking)
        pair.run()


@pytest.mark.parametrize(("window", "grant", "good"), [(1, 0xFFFFFFFE, True), (1, 0xFFFFFFFF, False)])
def test_windows_do_not_exceed_32_bits(window: int, grant: int, good: bool) -> None:
    pair = connected()
    opening = message(numbers.CHANNEL_OPEN, tail=string(b"x") + u32(0) + u32(window) + u32(MAX_DATA))
    inject(pair.client, pair.server, opening)
    adjust = message(numbers.CHANNEL_WINDOW_ADJUST, 0, grant)
    if good:
        inject(pair.client, pair.server, adjust)
        assert pair.accepted[0][2].channel.room == 0xFFFFFFFF  # type: ignore[union-attr]
    else:
        with refused(2, "exceeds"):
            inject(pair.client, pair.server, adjust)


# ---- the window we gave ---------------------------------------------------------------------------------


def test_data_beyond_the_window() -> None:
    pair = connected()
    _endpoint, channel = pair.open()
    far = pair.accepted[0][2].channel
    assert far is not None
    far.hold()
    for _ in range(INITIAL_WINDOW // MAX_DATA):
        inject(
            pair.client,
            pair.server,
            message(numbers.CHANNEL_DATA, channel.remote, tail=string(bytes(MAX_DATA))),
        )
    with refused(2, "beyond"):
        inject(pair.client, pair.server, message(numbers.CHANNEL_DATA, channel.remote, tail=string(b"x")))


def test_data_after_the_end() -> None:
    pair = connected()
    _endpoint, channel = pair.open()
    channel.eof()
    with refused(2, "its end"):
        inject(pair.client, pair.server, message(numbers.CHANNEL_DATA, channel.remote, tail=string(b"x")))


def test_data_after_the_peer_closed() -> None:
    pair = connected()
    _endpoint, channel = pair.open()
    with refused(2):
        inject(
            pair.client,
            pair.server,
            message(numbers.CHANNEL_CLOSE, channel.remote),
            message(numbers.CHANNEL_DATA, channel.remote, tail=string(b"x")),
        )


def test_data_that_crosses_our_close_is_dropped() -> None:
    pair = connected()
    endpoint, _channel = pair.open()
    far = pair.accepted[0][2]
    assert far.channel is not None
    far.channel.close()
    far.channel.close()
    endpoint.send(bytes(INITIAL_WINDOW))
    pair.server.feed(pair.client.take())
    assert not far.received
    pair.run()
    assert far.events == endpoint.events[1:] == [("closed", None)]


# ---- half-close and close -------------------------------------------------------------------------------


def test_half_close_passes_and_data_goes_on_the_other_way() -> None:
    pair = connected()
    endpoint, channel = pair.open()
    far = pair.accepted[0][2]
    endpoint.send(b"question")
    channel.eof()
    channel.eof()
    pair.run()
    assert far.received == b"question"
    assert far.events == [("eof",)]
    with pytest.raises(LocalProtocolError):
        channel.send(b"more")
    far.send(b"answer")
    assert far.channel is not None
    far.channel.eof()
    far.channel.close()
    pair.run()
    assert endpoint.received == b"answer"
    assert endpoint.events == [("opened",), ("eof",), ("closed", None)]
    assert far.events == [("eof",), ("closed", None)]
    assert all(not connection.channels for connection in connections(pair))


def test_a_second_eof_does_not_matter() -> None:
    pair = connected()
    _endpoint, channel = pair.open()
    eof = message(numbers.CHANNEL_EOF, channel.remote)
    inject(pair.client, pair.server, eof, eof)
    assert pair.accepted[0][2].events == [("eof",)]


def test_an_eof_that_crosses_our_close_is_not_told() -> None:
    pair = connected()
    _endpoint, channel = pair.open()
    far = pair.accepted[0][2]
    assert far.channel is not None
    far.channel.close()
    inject(pair.client, pair.server, message(numbers.CHANNEL_EOF, channel.remote))
    assert far.events == []


def test_closing_at_both_ends_at_once() -> None:
    pair = connected()
    endpoint, channel = pair.open()
    far = pair.accepted[0][2]
    assert far.channel is not None
    channel.close()
    far.channel.close()
    pair.run()
    assert endpoint.events[-1] == far.events[-1] == ("closed", None)
    assert all(not connection.channels for connection in connections(pair))
    channel.close()
    channel.eof()
    assert not pair.client.take()


def test_no_window_is_given_on_a_closed_channel() -> None:
    pair = connected()
    endpoint, _channel = pair.open()
    far = pair.accepted[0][2]
    assert far.channel is not None
    far.channel.close()
    endpoint.send(bytes(INITIAL_WINDOW))
    close_only = pair.server.transport.pending
    pair.server.feed(pair.client.take())
    assert pair.server.transport.pending == close_only


def test_numbers_of_closed_channels_are_used_again() -> None:
    pair = connected()
    channels = [pair.open()[1] for _ in range(5)]
    for channel in (channels[1], channels[3]):
        channel.close()
    pair.run()
    assert sorted(pair.open()[1].local for _ in range(3)) == [1, 3, 5]


# ---- back-pressure --------------------------------------------------------------------------------------


def test_a_blocked_connection_pauses_those_who_read_and_resumes_them_in_turn() -> None:
    pair = connected()
    client = connections(pair)[0]
    talkers = [open_talker(pair, 100) for _ in range(3)]
    idle, _channel = pair.open()
    client.block(True)
    client.block(True)
    assert [talker.events[-1] for talker in talkers] == [("pause",)] * 3
    assert idle.events == [("opened",)]
    assert all(talker.channel is not None and talker.channel.room == 0 for talker in talkers)
    client.block(False)
    assert [talker.events[-1] for talker in talkers] == [("writable",)] * 3


def test_given_window_while_the_way_out_is_full() -> None:
    """A channel that stopped for want of window, and gets some while the tunnel is blocked, must go on later.

    Missed, it stalls for good, and no throughput benchmark shows it.
    """
    pair = connected()
    client = connections(pair)[0]
    talker = open_talker(pair, INITIAL_WINDOW + 10)
    pair.server.feed(pair.client.take())
    pair.client.feed(pair.server.take())
    assert talker.left == 10
    assert talker.channel is not None and talker.channel.waiting
    assert talker.channel not in client.waiting
    client.block(True)
    assert ("pause",) not in talker.events  # it does not read: nothing to pause
    pair.run()  # the far side takes what was sent and gives window
    assert talker.left == 10
    assert talker.channel in client.waiting
    client.block(False)
    assert talker.left == 0
    pair.run()
    assert len(pair.accepted[0][2].received) == INITIAL_WINDOW + 10


def test_asking_for_room_while_the_way_out_is_full() -> None:
    pair = connected()
    client = connections(pair)[0]
    client.block(True)
    talker = open_talker(pair, 10)
    pair.run()
    assert talker.left == 10
    client.block(False)
    assert talker.left == 0


def test_a_way_out_that_fills_again_leaves_the_others_their_places() -> None:
    pair = connected()
    client = connections(pair)[0]
    client.block(True)
    order: list[int] = []

    class OneAtATime(Talker):
        def writable(self) -> None:
            order.append(talkers.index(self))
            client.block(True)

    talkers = [OneAtATime(10) for _ in range(3)]
    for talker in talkers:
        client.open(b"x", b"", talker)
    pair.run()
    for _ in range(3):
        client.block(False)
    assert order == [0, 1, 2]


def test_a_channel_that_ends_while_others_are_resumed() -> None:
    """The first to be resumed loses the whole connection; the others hear of the end and of nothing else."""
    pair = connected()
    client = connections(pair)[0]
    client.block(True)

    class Losing(Talker):
        def writable(self) -> None:
            client.lost(None)

    talkers = [Losing(10) for _ in range(3)]
    for talker in talkers:
        client.open(b"x", b"", talker)
    pair.run()
    client.block(False)
    assert [talker.events for talker in talkers] == [[("opened",), ("closed", None)]] * 3


def test_a_connection_that_ends_while_others_are_paused() -> None:
    pair = connected()
    client = connections(pair)[0]

    class Losing(Talker):
        def pause(self) -> None:
            super().pause()
            client.lost(None)

    talkers = [Losing(10) for _ in range(3)]
    for talker in talkers:
        client.open(b"x", b"", talker)
    pair.run()
    client.block(True)
    client.block(False)
    events = [talker.events[1:] for talker in talkers]
    assert sorted(events, key=len) == [[("closed", None)]] * 2 + [[("pause",), ("closed", None)]]


def test_refusing_after_the_connection_was_lost() -> None:
    pending: list[Channel] = []
    pair = connected(accept=lambda channel, kind, extra: pending.append(channel))
    pair.open()
    connections(pair)[1].lost(None)
    pending[0].refuse(numbers.CONNECT_FAILED, "")
    assert not connections(pair)[1].channels


def test_small_messages_pass_a_blocked_connection() -> None:
    pair = connected()
    client = connections(pair)[0]
    _endpoint, channel = pair.open()
    client.block(True)
    channel.send(b"small")
    pair.run()
    assert pair.accepted[0][2].received == b"small"


# ---- messages for nobody --------------------------------------------------------------------------------

FOR_A_CHANNEL = [
    message(numbers.CHANNEL_WINDOW_ADJUST, 0, 1),
    message(numbers.CHANNEL_DATA, 0, tail=string(b"x")),
    message(numbers.CHANNEL_EXTENDED_DATA, 0, 1, tail=string(b"x")),
    message(numbers.CHANNEL_EOF, 0),
    message(numbers.CHANNEL_CLOSE, 0),
    message(numbers.CHANNEL_REQUEST, 0, tail=string(b"exec") + b"\x01"),
    message(numbers.CHANNEL_SUCCESS, 0),
    message(numbers.CHANNEL_FAILURE, 0),
    message(numbers.CHANNEL_OPEN_CONFIRMATION, 0, 0, 1000, 1000),
    message(numbers.CHANNEL_OPEN_FAILURE, 0, 1, tail=string(b"") + string(b"")),
]


@pytest.mark.parametrize("payload", FOR_A_CHANNEL)
def test_messages_for_a_channel_that_is_not(payload: bytes) -> None:
    pair = connected()
    with refused(2):
        inject(pair.client, pair.server, payload)


@pytest.mark.parametrize("payload", FOR_A_CHANNEL)
def test_messages_for_a_channel_that_we_have_not_accepted_yet(payload: bytes) -> None:
    pair = connected(accept=lambda channel, kind, extra: None)
    pair.open()
    with refused(2):
        inject(pair.client, pair.server, payload)


@pytest.mark.parametrize("payload", FOR_A_CHANNEL)
def test_messages_for_a_closed_channel(payload: bytes) -> None:
    pair = connected()
    pair.open()[1].close()
    pair.run()
    with refused(2):
        inject(pair.client, pair.server, payload)


@pytest.mark.parametrize("payload", FOR_A_CHANNEL)
def test_messages_cut_short(payload: bytes) -> None:
    for size in range(1, len(payload)):
        pair = connected()
        pair.open()
        with refused(2):
            inject(pair.client, pair.server, payload[:size])


@pytest.mark.parametrize("length", [0, 2, 0xFFFFFFFF])
def test_data_of_another_length_than_announced(length: int) -> None:
    pair = connected()
    pair.open()
    with refused(2, "another length"):
        inject(pair.client, pair.server, message(numbers.CHANNEL_DATA, 0, length, tail=b"x"))


def test_a_channel_confirmed_twice() -> None:
    pair = connected()
    pair.open()
    with refused(2, "never asked for"):
        inject(pair.server, pair.client, message(numbers.CHANNEL_OPEN_CONFIRMATION, 0, 0, 1000, 2000))


def test_losing_the_connection() -> None:
    pair = connected()
    client = connections(pair)[0]
    endpoint, channel = pair.open()
    error = OSError("gone")
    client.lost(error)
    assert endpoint.events[-1] == ("closed", error)
    assert channel.room == 0
    channel.close()
    channel.eof()
    assert not pair.client.take()
