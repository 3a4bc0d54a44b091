"""The relay between a socket and a channel, in memory: nothing queues, nothing is lost, both halves close."""

import asyncio

import pytest

from headrace.net.relay import READ, Relay
from headrace.net.relay_pool import RelayPool
from headrace.ssh.channel import INITIAL_WINDOW, Channel
from headrace.testing.fake_tcp import FakeTcp
from headrace.testing.peers import RecordingEndpoint, SshPair

pytestmark = pytest.mark.virtual_time


class Rig:
    """A relay at the client's end of a channel; `far` is the server's end."""

    def __init__(self) -> None:
        self.pair = SshPair().start()
        self.pair.run()
        self.near, self.channel = self.pair.open()
        self.far = self.pair.accepted[0][2]
        self.pool = RelayPool()
        self.relay = self.pool.make()
        self.pool.add(self.relay)
        self.channel.endpoint = self.relay
        self.tcp = FakeTcp(self.relay)
        self.relay.attach(self.channel)

    def run(self) -> None:
        self.pair.run()


async def test_bytes_pass_both_ways() -> None:
    rig = Rig()
    up = bytes(range(256)) * 4000
    taken = 0
    while taken < len(up):
        taken += rig.tcp.arrive(up[taken:])
        rig.run()
        await asyncio.sleep(0)
    rig.far.send(b"down" * 1000)
    rig.run()
    assert rig.far.received == up
    assert rig.tcp.written == b"down" * 1000


async def test_bytes_are_counted_where_they_pass_the_socket() -> None:
    rig = Rig()
    assert (rig.relay.bytes_in, rig.relay.bytes_out) == (0, 0)
    assert rig.far.channel is not None
    rig.far.channel.hold()
    taken = rig.tcp.arrive(bytes(INITIAL_WINDOW + 5000))
    rig.run()
    rig.far.send(bytes(700))
    rig.run()
    assert (rig.relay.bytes_in, rig.relay.bytes_out) == (taken, 700)
    rig.far.channel.release()
    rig.run()
    taken += rig.tcp.arrive(bytes(300))
    rig.run()
    assert (rig.relay.bytes_in, rig.relay.bytes_out) == (taken, 700) == (len(rig.far.received), 700)


async def test_reads_no_more_than_the_window() -> None:
    rig = Rig()
    far = rig.far.channel
    assert far is not None
    far.hold()
    taken = rig.tcp.arrive(bytes(INITIAL_WINDOW + 5000))
    rig.run()
    assert not rig.tcp.reading
    assert taken == len(rig.far.received) == INITIAL_WINDOW
    far.release()
    rig.run()
    assert rig.tcp.reading
    assert rig.tcp.arrive(b"more") == 4


async def test_a_full_read_lets_the_others_have_their_turn() -> None:
    rig = Rig()
    for _ in range(4):  # the window grows
        rig.tcp.arrive(bytes(READ))
        rig.run()
        await asyncio.sleep(0)
    assert rig.channel.room > READ
    rig.tcp.events.clear()
    assert rig.tcp.arrive(bytes(2 * READ)) == READ
    assert rig.tcp.log == ["pause"]
    await asyncio.sleep(0)
    assert rig.tcp.log == ["pause", "resume"]


async def test_its_turn_does_not_come_while_there_is_no_room() -> None:
    rig = Rig()
    for _ in range(4):
        rig.tcp.arrive(bytes(READ))
        rig.run()
        await asyncio.sleep(0)
    connection = rig.pair.client.connection
    assert connection is not None
    rig.tcp.arrive(bytes(READ))
    connection.block(True)
    await asyncio.sleep(0)
    assert not rig.tcp.reading
    connection.block(False)
    assert rig.tcp.reading


async def test_a_byte_read_while_paused_is_kept_and_sent_in_order() -> None:
    rig = Rig()
    rig.tcp.arrive(b"1")
    connection = rig.pair.client.connection
    assert connection is not None
    connection.eager.clear()  # as if the channel had not sent anything since the last pause
    connection.block(True)
    assert rig.tcp.arrive(b"234") == 1
    assert not rig.tcp.reading
    connection.block(False)
    assert rig.tcp.arrive(b"34") == 2
    rig.run()
    assert rig.far.received == b"1234"


async def test_early_payload_goes_first() -> None:
    pair = SshPair().start()
    pair.run()
    _, channel = pair.open()
    relay = channel.endpoint = Relay()
    tcp = FakeTcp(relay)
    relay.attach(channel, tcp, b"early ")
    tcp.arrive(b"and late")
    pair.run()
    assert pair.accepted[0][2].received == b"early and late"


async def test_a_slow_socket_withholds_window() -> None:
    rig = Rig()
    rig.tcp.stuck = True
    sent = 0
    far = rig.far.channel
    assert far is not None
    for _ in range(200):
        if far.room < 32768:
            break
        rig.far.send(bytes(32768))
        sent += 32768
        rig.run()
    assert sent <= INITIAL_WINDOW  # the window does not grow for a reader that stalls
    assert rig.tcp.buffered == sent
    rig.tcp.drain()
    rig.run()
    assert far.room >= 32768


async def test_local_end_of_file_leaves_the_other_direction_open() -> None:
    rig = Rig()
    rig.tcp.finish()
    rig.run()
    assert ("eof",) in rig.far.events
    rig.far.send(b"still here")
    rig.run()
    assert rig.tcp.written == b"still here"
    assert rig.far.channel is not None
    rig.far.channel.eof()
    rig.run()
    assert rig.tcp.log[-1] == "close"
    assert rig.channel.endpoint is None


async def test_remote_end_of_file_half_closes_the_socket_then_gives_up_on_a_silent_application() -> None:
    rig = Rig()
    assert rig.far.channel is not None
    rig.far.channel.eof()
    rig.run()
    assert rig.tcp.log == ["fin"]
    rig.tcp.arrive(b"last words")
    rig.run()
    assert rig.far.received == b"last words"
    rig.pool.sweep(5.0)
    assert rig.tcp.log == ["fin"]
    rig.pool.sweep(5.0)
    assert rig.tcp.log == ["fin", "close"]


async def test_a_lost_tunnel_resets_the_socket() -> None:
    rig = Rig()
    connection = rig.pair.client.connection
    assert connection is not None
    connection.lost(ConnectionError("gone"))
    assert rig.tcp.log == ["abort"]


async def test_a_closed_socket_closes_the_channel_and_says_so_once() -> None:
    rig = Rig()
    rig.tcp.close()
    await _pass(0)
    rig.run()
    assert len(rig.pool) == 0
    assert rig.channel.endpoint is None
    assert rig.far.events[-1] == ("closed", None)


async def test_a_socket_that_went_away_before_the_channel_was_there() -> None:
    pair = SshPair().start()
    pair.run()
    _, channel = pair.open()
    relay = Relay()
    tcp = FakeTcp(relay)
    tcp.close()
    await _pass(0)
    channel.endpoint = relay
    relay.attach(channel)
    pair.run()
    assert pair.accepted[0][2].events[-1] == ("closed", None)


async def test_what_a_destination_says_before_the_channel_is_accepted_is_kept() -> None:
    pair = SshPair().start()
    pair.run()
    relay = Relay()
    tcp = FakeTcp(relay)
    assert tcp.arrive(b"220 ready") == 1
    assert not tcp.reading
    _, channel = pair.open()
    channel.endpoint = relay
    relay.attach(channel)
    tcp.arrive(b"20 ready")
    tcp.finish()
    pair.run()
    far: RecordingEndpoint = pair.accepted[0][2]
    assert far.received == b"220 ready"
    assert ("eof",) in far.events


def test_an_idle_relay_is_small() -> None:
    assert not hasattr(Relay(), "__dict__")
    assert not hasattr(Channel.__new__(Channel), "__dict__")


async def _pass(seconds: float) -> None:
    import asyncio

    await asyncio.sleep(seconds)


async def test_a_pool_closes_the_idle_and_makes_room_for_the_new() -> None:
    pool = RelayPool(idle_limit=10.0)
    relays = [pool.make() for _ in range(3)]
    sockets = [FakeTcp(relay) for relay in relays]
    for relay in relays:
        pool.add(relay)
    pool.sweep(5.0)
    pool.sweep(5.0)
    relays[0].busy = True
    pool.make_room(3)  # the first is busy, the others equally idle: one of them goes
    assert [tcp.log for tcp in sockets] == [[], ["close"], []]
    pool.sweep(5.0)
    assert [tcp.log for tcp in sockets] == [[], ["close"], ["close"]]
    assert len(pool) == 1


async def test_early_payload_larger_than_the_window_goes_as_far_as_it_can() -> None:
    pair = SshPair().start()
    pair.run()
    _, channel = pair.open()
    far = pair.accepted[0][2]
    assert far.channel is not None
    far.channel.hold()
    relay = channel.endpoint = Relay()
    tcp = FakeTcp(relay)
    early = bytes(range(256)) * 1024
    relay.attach(channel, tcp, early)
    pair.run()
    assert far.received == early[:INITIAL_WINDOW]
    assert not tcp.reading
    far.channel.release()
    pair.run()
    assert far.received == early
    assert tcp.reading
