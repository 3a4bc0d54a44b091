"""Properties of the SSH core: there and back, any messages at all, and cut anywhere."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.ssh.test_channel import Talker
from tests.unit.ssh.tools import CHACHA, QUICK, connected, connections, quick_pair

from headrace.base.errors import RemoteProtocolError
from headrace.ssh.algorithms import KexInit
from headrace.ssh.wire import Reader, mpint, name_list, string
from headrace.testing.peers import Peer, RecordingEndpoint, SshPair

name = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=","), min_size=1)
names = st.lists(name, max_size=8).map(tuple)
both_ways = st.tuples(names, names)
kexinits = st.builds(
    KexInit, st.binary(min_size=16, max_size=16), names, names, both_ways, both_ways, both_ways, st.booleans()
)
steps = st.integers(1, 300)


@given(kexinits)
def test_a_kexinit_that_is_written_is_read_the_same(message: KexInit) -> None:
    assert KexInit.parse(message.encode()) == message


@given(kexinits, st.data())
def test_a_kexinit_cut_short_is_refused(message: KexInit, data: st.DataObject) -> None:
    whole = message.encode()
    size = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(RemoteProtocolError):
        KexInit.parse(whole[:size])


@given(st.integers(0, 1 << 3000), names, st.binary())
def test_wire_values_there_and_back(number: int, list_of_names: tuple[str, ...], data: bytes) -> None:
    reader = Reader(mpint(number) + name_list(list_of_names) + string(data))
    encoded = bytes(reader.string())
    assert int.from_bytes(encoded, "big", signed=True) == number
    assert not encoded.startswith(b"\0") or encoded[1] & 0x80
    assert reader.name_list() == list_of_names
    assert reader.string() == data
    reader.check_end()


@given(st.binary(max_size=400), st.booleans(), steps)
def test_any_first_bytes_end_in_an_error_or_in_waiting(data: bytes, to_server: bool, step: int) -> None:
    pair = quick_pair().start()
    peer = pair.server if to_server else pair.client
    with suppress(RemoteProtocolError):
        for start in range(0, len(data), step):
            peer.feed(data[start : start + step])
    assert pair.outcome is None


# ---- any messages at all --------------------------------------------------------------------------------

numbers = st.sampled_from([2, 5, 6, 20, 21, 30, 50, 80, 81, 82, *range(90, 101)]) | st.integers(0, 255)
words = st.lists(st.integers(0, 4) | st.sampled_from([1024, 32768, 0xFFFFFFFF]), max_size=5)
bodies = words.map(lambda found: b"".join(word.to_bytes(4, "big") for word in found)) | st.binary(max_size=60)
messages = st.lists(st.tuples(numbers, bodies).map(lambda pair: bytes((pair[0],)) + pair[1]), max_size=30)


@given(messages, st.booleans(), st.booleans())
def test_any_messages_raise_only_remote_protocol_error(
    stream: list[bytes], to_server: bool, rekeying: bool
) -> None:
    pair = connected(answer=lambda name, payload: bytes(payload))
    pair.open()
    sender, receiver = (pair.client, pair.server) if to_server else (pair.server, pair.client)
    if rekeying:
        receiver.transport.rekey()
    receiver.take()
    with suppress(RemoteProtocolError):
        for payload in stream:
            sender.transport._put(payload)
            receiver.feed(sender.take())
    assert receiver.transport.pending < 100_000


# ---- cut anywhere ---------------------------------------------------------------------------------------


def course(pair: SshPair, move: object) -> tuple[object, ...]:
    """Log in, use two channels both ways, rekey, close; return all that anyone noticed."""
    assert callable(move)
    pair.start()
    move()
    answers: list[bytes | None] = []
    talkers = [Talker(50_000), Talker(10)]
    for talker in talkers:
        connections(pair)[0].open(b"kind", b"extra", talker)
        connections(pair)[0].request(b"echo", b"payload", answers.append)
    move()
    far = [endpoint for _kind, _extra, endpoint in pair.accepted]
    far[0].send(b"x" * 3000)
    pair.server.transport.rekey()
    move()
    for talker in talkers:
        assert talker.channel is not None
        talker.channel.eof()
        talker.channel.close()
    move()
    ends: list[RecordingEndpoint] = [*talkers, *far]
    return pair.outcome, answers, [bytes(end.received) for end in ends], [end.events for end in ends]


def echo(name: bytes, payload: memoryview) -> bytes:
    return bytes(payload)


@settings(max_examples=40)
@given(st.lists(st.integers(1, 5000), min_size=1, max_size=20), st.booleans())
def test_how_the_bytes_are_cut_changes_nothing(sizes: list[int], lengths_hidden: bool) -> None:
    offer = CHACHA if lengths_hidden else QUICK
    whole = quick_pair(offer, answer=echo)
    expected = course(whole, whole.run)
    pair = quick_pair(offer, answer=echo)
    turn = 0

    def feed(peer: Peer, data: bytes) -> None:
        nonlocal turn
        while data:
            size = sizes[turn % len(sizes)]
            turn += 1
            peer.feed(data[:size])
            data = data[size:]

    def move() -> None:
        while True:
            upward, downward = pair.client.take(), pair.server.take()
            if not upward and not downward:
                return
            feed(pair.server, upward)
            feed(pair.client, downward)

    assert course(pair, move) == expected
