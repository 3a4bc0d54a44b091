"""A handshake cut short anywhere, or with any one bit changed on the way, lets nobody in.

Ephemeral keys differ from run to run, so a recording cannot be replayed bit for bit; instead each run has a
man in the middle who changes one bit of what passes. All messages keep their lengths, so a place means the
same in every run.
"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from tests.security.ssh_middle import Middle, split_clear
from tests.unit.ssh.tools import CHACHA, QUICK, quick_pair

from headrace.base.errors import RemoteProtocolError
from headrace.ssh.algorithms import Offer
from headrace.testing.peers import SshPair


class Recording:
    """What each side sends in one whole handshake with this offer."""

    def __init__(self, offer: Offer) -> None:
        pair = quick_pair(offer).start()
        pair.run()
        assert pair.outcome is True
        self.offer = offer
        self.sent = {"up": bytes(pair.client.sent), "down": bytes(pair.server.sent)}
        self.clear = {way: len(data) - len(split_clear(data)[2]) for way, data in self.sent.items()}
        self.padding = {way: set(padding_places(data)) for way, data in self.sent.items()}


def padding_places(data: bytes) -> Iterator[int]:
    """Places of padding bytes in the clear part: their values mean nothing and are not authenticated."""
    line, packets, _rest = split_clear(data)
    position = len(line)
    for packet in packets:
        position += len(packet)
        yield from range(position - packet[4], position)


RECORDINGS = {"gcm": Recording(QUICK), "chacha": Recording(CHACHA)}
every_recording = pytest.mark.parametrize("recording", RECORDINGS.values(), ids=RECORDINGS)
both_ways = pytest.mark.parametrize("direction", ["up", "down"])


def flip(place: int, bit: int) -> Callable[[bytes], bytes]:
    position = 0

    def change(data: bytes) -> bytes:
        nonlocal position
        start, position = position, position + len(data)
        if not start <= place < position:
            return data
        changed = bytearray(data)
        changed[place - start] ^= 1 << bit
        return bytes(changed)

    return change


def cut(size: int) -> Callable[[bytes], bytes]:
    left = size

    def shorten(data: bytes) -> bytes:
        nonlocal left
        kept = data[:left]
        left -= len(kept)
        return kept

    return shorten


def handshake(offer: Offer, direction: str, tamper: Callable[[bytes], bytes]) -> SshPair:
    """Run a handshake through the man in the middle; only RemoteProtocolError may stop it."""
    pair = quick_pair(offer).start()
    try:
        Middle(pair, **{direction: tamper}).run()
    except RemoteProtocolError as error:
        assert error.code in (2, 3, 5, 8, 9)
    return pair


def let_in(pair: SshPair, direction: str) -> bool:
    """Whether the side that got the changed bytes considers the log-in done."""
    return pair.server.connection is not None if direction == "up" else pair.outcome is True


@every_recording
def test_a_place_means_the_same_in_every_run(recording: Recording) -> None:
    again = Recording(recording.offer)
    assert {way: len(data) for way, data in again.sent.items()} == {
        way: len(data) for way, data in recording.sent.items()
    }
    assert again.padding == recording.padding


@both_ways
@every_recording
def test_every_bit_of_the_clear_part(recording: Recording, direction: str) -> None:
    """Neither side gets as far as a log-in, except where the changed bit is in the padding."""
    for place, bit in itertools.product(range(recording.clear[direction]), range(8)):
        pair = handshake(recording.offer, direction, flip(place, bit))
        inside = pair.outcome is True or pair.server.connection is not None
        assert inside == (place in recording.padding[direction]), (place, bit)


@both_ways
@every_recording
def test_every_bit_of_the_protected_part(recording: Recording, direction: str) -> None:
    places = range(recording.clear[direction], len(recording.sent[direction]))
    for place, bit in itertools.product(places, range(8)):
        pair = handshake(recording.offer, direction, flip(place, bit))
        assert not let_in(pair, direction), (place, bit)


@both_ways
@every_recording
def test_every_truncation(recording: Recording, direction: str) -> None:
    for size in range(len(recording.sent[direction])):
        assert not let_in(handshake(recording.offer, direction, cut(size)), direction), size


@pytest.mark.parametrize("step", [1, 100, 1 << 20])
@every_recording
def test_a_recording_is_of_no_use_against_another_run(recording: Recording, step: int) -> None:
    """Whoever replays one side's bytes does not get past the first protected packet, or the signature."""
    pair = quick_pair(recording.offer).start()
    up, down = recording.sent["up"], recording.sent["down"]
    for peer, data, codes in ((pair.server, up, (2, 5)), (pair.client, down, (9,))):
        with pytest.raises(RemoteProtocolError) as caught:
            for start in range(0, len(data), step):
                peer.feed(data[start : start + step])
        assert caught.value.code in codes
    assert pair.outcome is None
    assert pair.server.connection is None


@pytest.mark.parametrize("side", ["client", "server"])
@every_recording
def test_a_mirror_is_no_peer(recording: Recording, side: str) -> None:
    """Each side gets back what it sent."""
    pair = quick_pair(recording.offer).start()
    peer = pair.client if side == "client" else pair.server
    with suppress(RemoteProtocolError):
        while data := peer.take():
            peer.feed(data)
    assert pair.outcome is None
    assert pair.server.connection is None
