"""Streams that are shaped: filled, answered, cut and released; and that they carry what they are given."""

from dataclasses import dataclass, field

import pytest
from tests.unit.ssh.test_channel import Talker
from tests.unit.ssh.tools import CHACHA, connected, connections, inject

from headrace.base.rng import SeededRng
from headrace.ssh.channel import Channel
from headrace.ssh.forwarding import Destination
from headrace.ssh.shaper import MOST_DUE, ClientShaper, ServerShaper
from headrace.ssh.shaping import MOST_DOWN, MOST_UP, SEED_SIZE, Policy, Range, Step, filler
from headrace.testing.peers import RecordingEndpoint, SshPair

SEED = bytes(SEED_SIZE)
NOTHING = Step()


HELLO = b"\x16\x03\x01"


def hello(size: int) -> bytes:
    """Return the first message of a TLS client, or what looks like one."""
    return HELLO.ljust(size, b"\0")


def exactly(size: int) -> Range:
    return Range(size, size)


@dataclass
class Shaped:
    """A pair whose client and server shape as the policy says, and what each wrote in one go."""

    policy: Policy
    pair: SshPair = field(init=False)
    writes: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pair = connected(CHACHA, accept=self._accept)
        self.far: list[RecordingEndpoint] = []
        self.client = ClientShaper(self.pair.client.transport, self.policy)
        self.server = ServerShaper(self.pair.server.transport, SeededRng(3))
        self.pair.run()

    def _accept(self, channel: Channel, kind: bytes, extra: memoryview) -> None:
        self.server.begin(channel)
        self.far.append(RecordingEndpoint(channel=channel))
        channel.accept(self.far[-1])

    def open(self) -> RecordingEndpoint:
        endpoint = RecordingEndpoint()
        channel = connections(self.pair)[0].open(
            b"direct-tcpip", Destination("192.0.2.1", 443).encode(), endpoint
        )
        self.client.begin(channel)
        self.run()
        return endpoint

    def run(self) -> list[int]:
        """Move bytes until all is quiet; return what was written, the server's negative."""
        writes: list[int] = []
        while True:
            up, down = self.pair.client.take(), self.pair.server.take()
            if not (up or down):
                self.writes += writes
                return writes
            writes += [size for size in (len(up), -len(down)) if size]
            self.pair.server.feed(up)
            self.pair.client.feed(down)


def near(found: list[int], wanted: list[int]) -> bool:
    return len(found) == len(wanted) and all(abs(a - b) <= 12 for a, b in zip(found, wanted, strict=True))


def test_without_steps_nothing_is_added() -> None:
    shaped = Shaped(Policy(SEED))
    endpoint = shaped.open()
    assert endpoint.channel is not None
    endpoint.send(bytes(500))
    assert near(shaped.run(), [536])
    assert endpoint.channel.shape is None


def test_bursts_are_filled_up() -> None:
    step = Step(fill=exactly(1000))
    shaped = Shaped(Policy(SEED, (NOTHING, step, step), (NOTHING, step)))
    endpoint = shaped.open()
    endpoint.send(hello(500))
    assert near(shaped.run(), [1000])
    endpoint.send(bytes(500))  # the same burst
    assert near(shaped.run(), [536])
    shaped.far[0].send(bytes(50))
    assert near(shaped.run(), [-1000])
    endpoint.send(bytes(300))
    assert near(shaped.run(), [1000])
    shaped.far[0].send(bytes(50))  # there are no more steps
    assert near(shaped.run(), [-86])
    assert (bytes(endpoint.received), bytes(shaped.far[0].received)) == (bytes(100), hello(500) + bytes(800))


def test_a_burst_that_is_large_already_is_left_alone() -> None:
    shaped = Shaped(Policy(SEED, (NOTHING, Step(fill=exactly(1000)))))
    endpoint = shaped.open()
    endpoint.send(hello(5000))
    assert near(shaped.run(), [5036])


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x02", b"\x15\x03", b"S"])
def test_what_is_no_tls_client_is_carried_as_it_comes(first: bytes) -> None:
    step = Step(fill=exactly(1000), answer=exactly(100), cut=exactly(500))
    shaped = Shaped(Policy(SEED, (NOTHING, step), (NOTHING, step)))
    endpoint = shaped.open()
    endpoint.send(first.ljust(300))
    assert near(shaped.run(), [336])
    shaped.far[0].send(bytes(800))
    assert near(shaped.run(), [-836])
    assert endpoint.channel is not None and shaped.far[0].channel is not None
    assert endpoint.channel.shape is shaped.far[0].channel.shape is None


def test_a_stream_whose_server_speaks_first_is_carried_as_it_comes() -> None:
    step = Step(fill=exactly(1000), answer=exactly(100))
    shaped = Shaped(Policy(SEED, (NOTHING, step), (NOTHING, step)))
    endpoint = shaped.open()
    shaped.far[0].send(hello(300))
    assert near(shaped.run(), [-336])
    endpoint.send(hello(300))
    assert near(shaped.run(), [336])


def test_the_first_byte_of_a_tls_client_may_come_alone() -> None:
    shaped = Shaped(Policy(SEED, (NOTHING, Step(fill=exactly(1000)))))
    endpoint = shaped.open()
    endpoint.send(HELLO[:1])
    assert near(shaped.run(), [1000])


def test_the_opening_is_the_first_burst() -> None:
    shaped = Shaped(Policy(SEED, (Step(fill=exactly(400)),), (Step(fill=exactly(300)),)))
    shaped.open()
    first, second = shaped.writes
    assert abs(first - 400) < 24
    assert abs(second + 300) < 24


def test_the_peer_answers_at_once_and_is_answered() -> None:
    shaped = Shaped(Policy(SEED, (NOTHING, Step(answer=exactly(300), question=exactly(200)))))
    endpoint = shaped.open()
    endpoint.send(hello(500))
    up, answer, question = shaped.run()
    assert up > 536
    assert near([answer, question], [-300, 200])


def test_a_cut_burst_goes_on_once_the_peer_has_answered() -> None:
    shaped = Shaped(Policy(SEED, (), (NOTHING, Step(answer=exactly(100), cut=exactly(1000)))))
    talker = open_talker(shaped, 5000)
    first, answer, rest = shaped.run()[-3:]
    assert near([answer], [100])
    assert -1100 < first < -1000
    assert near([rest], [-4036])
    assert [event[0] for event in talker.events].count("writable") == 1
    assert talker.channel is not None
    assert talker.channel.shape is not None
    assert not talker.left


def open_talker(shaped: Shaped, total: int) -> Talker:
    """Have the server talk as soon as it hears something."""
    endpoint = shaped.open()
    talker = Talker(total)
    channel = shaped.far[0].channel
    assert channel is not None
    channel.endpoint = talker
    endpoint.send(HELLO)
    shaped.run()
    talker.opened(channel)
    return talker


def test_a_burst_that_ends_at_the_cut_waits_for_nothing() -> None:
    shaped = Shaped(Policy(SEED, (), (NOTHING, Step(cut=exactly(1000)))))
    talker = open_talker(shaped, 1000)
    shaped.run()
    assert talker.channel is not None
    talker.channel.eof()
    talker.channel.close()
    shaped.run()
    assert not connections(shaped.pair)[1].channels


def test_a_channel_that_closes_while_it_is_held() -> None:
    shaped = Shaped(Policy(SEED, (), (NOTHING, Step(cut=exactly(1000)))))
    talker = open_talker(shaped, 5000)
    assert talker.channel is not None
    assert talker.channel.room == 0
    talker.channel.close()
    shaped.run()
    assert not connections(shaped.pair)[1].channels
    assert talker.left == 4000


def test_a_held_burst_does_not_go_on_while_the_connection_is_paused() -> None:
    shaped = Shaped(Policy(SEED, (), (NOTHING, Step(cut=exactly(1000)))))
    talker = open_talker(shaped, 5000)
    _, server = connections(shaped.pair)
    server.block(True)
    shaped.run()
    assert talker.left == 4000
    server.block(False)
    shaped.run()
    assert not talker.left


def test_unpausing_does_not_release_a_held_burst() -> None:
    shaped = Shaped(Policy(SEED, (), (NOTHING, Step(cut=exactly(1000)))))
    talker = open_talker(shaped, 5000)
    _, server = connections(shaped.pair)
    server.block(True)
    server.block(False)
    assert talker.left == 4000
    shaped.run()
    assert not talker.left


@pytest.mark.parametrize("who", ["client", "server"])
def test_held_bursts_outlive_a_key_exchange(who: str) -> None:
    shaped = Shaped(Policy(SEED, (), (NOTHING, Step(cut=exactly(1000)))))
    talker = open_talker(shaped, 5000)
    getattr(shaped.pair, who).transport.rekey()
    shaped.run()
    assert not talker.left


def test_several_streams_are_released_in_turn() -> None:
    shaped = Shaped(Policy(SEED, (), (NOTHING, Step(answer=exactly(100), cut=exactly(1000)))))
    talkers = []
    for number in range(3):
        endpoint = shaped.open()
        channel = shaped.far[number].channel
        assert channel is not None
        talkers.append(Talker(3000 + number))
        channel.endpoint = talkers[-1]
        endpoint.send(HELLO)
        shaped.run()
        talkers[-1].opened(channel)
    shaped.run()
    assert [talker.left for talker in talkers] == [0, 0, 0]


def test_the_same_policy_shapes_alike_and_another_seed_does_not() -> None:
    def writes(seed: int) -> list[int]:
        shaped = Shaped(Policy.draw(SeededRng(seed)))
        endpoint = shaped.open()
        for size in (517, 80, 400):
            endpoint.send(hello(size))
            shaped.run()
            assert shaped.far[0].channel is not None
            shaped.far[0].send(bytes(min(size * 3, shaped.far[0].channel.room)))
            shaped.run()
        return shaped.writes

    assert writes(1) == writes(1) != writes(2)


@pytest.mark.parametrize("seed", range(20))
def test_what_is_added_to_a_stream_is_bounded(seed: int) -> None:
    huge = Step(exactly(0xFFFF), exactly(0xFFFF), exactly(0xFFFF), exactly(seed))
    for policy in (Policy.draw(SeededRng(seed)), Policy(SEED, (huge,) * 8, (huge,) * 8)):
        with_shape, without = Shaped(policy), Shaped(Policy(SEED))
        for shaped in (with_shape, without):
            endpoint = shaped.open()
            shaped.writes.clear()
            for _ in range(20):
                endpoint.send(HELLO)
                shaped.run()
                shaped.far[0].send(b"answer")
                shaped.run()
        added = sum(map(abs, with_shape.writes)) - sum(map(abs, without.writes))
        assert added <= MOST_UP + MOST_DOWN + 8 * 2 * 2 * 40  # a message of nothing has its own size still


def test_who_asks_for_much_gets_little() -> None:
    shaped = Shaped(Policy(SEED))
    shaped.open()
    shaped.pair.client.take()
    for _ in range(100):
        inject(shaped.pair.server, shaped.pair.client, filler(0, 0xFFFF, 0xFFFF))
    assert len(shaped.pair.client.take()) < MOST_UP + MOST_DOWN + 100 * 60


def test_questions_to_a_peer_that_never_answers_do_not_pile_up() -> None:
    shaped = Shaped(Policy(SEED))
    shaped.open()
    for _ in range(2 * MOST_DUE):
        inject(shaped.pair.client, shaped.pair.server, filler(0, 1, 1))
        shaped.pair.server.take()
    assert not shaped.server.may_ask
    assert len(shaped.server._asked) == MOST_DUE


def test_a_peer_that_never_answers_is_not_waited_for_without_an_end() -> None:
    shaped = Shaped(Policy(SEED, (), (NOTHING, Step(answer=exactly(100), cut=exactly(1000)))))
    shaped.client._answer = lambda size, question: None  # type: ignore[method-assign]
    for number in range(MOST_DUE + 1):
        talker = open_talker(shaped, 3000)
        shaped.run()
        assert talker.left == (2000 if number < MOST_DUE else 0)
        assert talker.channel is not None
        talker.channel.close()
        shaped.run()
        shaped.far.clear()
    assert len(shaped.server._asked) == MOST_DUE


def test_answers_that_nobody_asked_for_are_nothing() -> None:
    shaped = Shaped(Policy(SEED))
    inject(shaped.pair.client, shaped.pair.server, filler(0, is_answer=True))
    assert shaped.run() == []


def test_a_server_that_makes_no_offer_is_told_nothing() -> None:
    pair = connected(CHACHA)
    shaper = ClientShaper(pair.client.transport, Policy.draw(SeededRng(1)))
    endpoint = RecordingEndpoint()
    channel = connections(pair)[0].open(b"direct-tcpip", b"", endpoint)
    shaper.begin(channel)
    shaper.accompany(100)
    pair.run()
    assert channel.shape is None
    assert endpoint.events == [("opened",)]


def test_a_client_that_announces_no_policy_is_carried_as_ever() -> None:
    pair = connected(CHACHA)
    shaper = ServerShaper(pair.server.transport, SeededRng(1))
    pair.run()
    _endpoint, _channel = pair.open()
    far = pair.accepted[0][2].channel
    assert far is not None
    shaper.begin(far)
    assert far.shape is None


def test_requests_are_filled_up_like_a_first_message() -> None:
    shaped = Shaped(Policy(SEED, (NOTHING, Step(fill=exactly(1000)))))
    connections(shaped.pair)[0].request(b"name", bytes(400), lambda reply: None)
    shaped.client.accompany(400)
    up, _down = shaped.run()
    assert abs(up - 1000) < 48
