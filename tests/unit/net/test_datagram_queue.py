"""Datagrams that wait for a channel, or for room in it."""

from collections.abc import Callable
from dataclasses import dataclass

from headrace.net.datagram_queue import DatagramQueue
from headrace.ssh.channel import INITIAL_WINDOW
from headrace.testing.peers import RecordingEndpoint, SshPair

MOST = 128 * 1024


@dataclass
class Someone:
    waiting: int = 0


@dataclass
class Near(RecordingEndpoint):
    flush: Callable[[], None] = lambda: None

    def writable(self) -> None:
        self.flush()


class Bench:
    """A queue into a channel whose connection can be blocked."""

    def __init__(self) -> None:
        self.pair = SshPair().start()
        self.pair.run()
        self.queue = DatagramQueue(share=3, most=MOST)
        self.someone = Someone()
        self.far = bytearray()

    def attach(self) -> None:
        near = Near(flush=self.queue.flush)
        assert self.pair.client.connection is not None
        self.pair.client.connection.open(b"direct-tcpip", b"", near)
        self.pair.run()
        assert near.channel is not None
        self.queue.attach(near.channel)

    def block(self, blocked: bool) -> None:
        assert self.pair.client.connection is not None
        self.pair.client.connection.block(blocked)

    def arrived(self) -> bytes:
        self.pair.run()
        endpoint = self.pair.accepted[-1][2]
        data = bytes(endpoint.received)
        endpoint.received.clear()
        return data


def test_with_room_nothing_waits() -> None:
    bench = Bench()
    bench.attach()
    assert bench.queue.put(bench.someone, b"one")
    assert bench.someone.waiting == 0
    assert bench.arrived() == b"one"


def test_without_a_channel_a_share_waits_for_the_next() -> None:
    bench, other = Bench(), Someone()
    assert [bench.queue.put(bench.someone, bytes((number,))) for number in range(5)] == [True] * 3 + [
        False
    ] * 2
    assert bench.queue.put(other, b"x")
    assert (bench.someone.waiting, other.waiting) == (3, 1)
    bench.attach()
    assert bench.arrived() == b"\0\1\2x"
    assert (bench.someone.waiting, other.waiting) == (0, 0)


def test_order_is_kept_when_there_is_room_again() -> None:
    bench = Bench()
    bench.attach()
    bench.block(True)
    bench.queue.put(bench.someone, b"one")
    assert bench.arrived() == b""
    bench.block(False)
    bench.queue.put(bench.someone, b"two")
    assert bench.arrived() == b"onetwo"


def test_a_message_that_the_window_does_not_hold_waits_for_it() -> None:
    bench = Bench()
    bench.attach()
    size = INITIAL_WINDOW // 4 + 1
    for _ in range(5):
        assert bench.queue.put(bench.someone, bytes(size))
    assert bench.someone.waiting == 2
    assert len(bench.arrived()) == 5 * size


def test_all_together_have_a_bound() -> None:
    bench = Bench()
    size = MOST // 4
    senders = [Someone() for _ in range(5)]
    assert [bench.queue.put(sender, bytes(size)) for sender in senders] == [True] * 4 + [False]
    bench.queue.clear()
    assert [sender.waiting for sender in senders] == [0] * 5
    assert bench.queue.put(senders[4], bytes(size))


def test_what_waits_outlives_its_channel() -> None:
    bench = Bench()
    bench.attach()
    bench.block(True)
    bench.queue.put(bench.someone, b"one")
    bench.queue.detach()
    bench.block(False)
    bench.queue.put(bench.someone, b"two")
    assert bench.arrived() == b""
    bench.attach()
    assert bench.arrived() == b"onetwo"
