"""The policy of shaping and its messages: there and back, bounded, and nothing to who does not know them."""

import pytest
from tests.unit.ssh.tools import CHACHA, connected

from headrace.base.errors import RemoteProtocolError
from headrace.base.rng import SeededRng
from headrace.ssh import shaping
from headrace.ssh.shaping import MOST_DOWN, MOST_STEPS, MOST_UP, SEED_SIZE, Policy, Range, Step, filler

SEED = bytes(range(SEED_SIZE))
STEP = Step(Range(1, 2), Range(3, 4), Range(5, 6), Range(7, 8))


def payload(data: bytes) -> memoryview:
    return memoryview(b"\x02" + len(data).to_bytes(4, "big") + data)


def test_a_policy_there_and_back() -> None:
    policy = Policy(SEED, (STEP, Step()), (Step(cut=Range(0, 0xFFFF)),))
    assert Policy.decode(memoryview(policy.encode())) == policy
    message = shaping.policy_message(policy, 600)
    assert shaping.read_policy(memoryview(message)) == policy
    assert shaping.read_policy(memoryview(shaping.policy_message(policy, 0))) == policy


def test_the_wire_form_of_a_policy() -> None:
    steps = "0001 0002 0003 0004 0005 0006 0007 0008"
    assert Policy(SEED, (STEP,)).encode() == SEED + bytes.fromhex("01" + steps + "00")
    assert shaping.offer(0) == bytes.fromhex("02 0000000a 02") + b"shaping-1"
    assert filler(0, 258, 3) == bytes.fromhex("02 00000005 00 0102 0003")
    assert filler(0, is_answer=True) == bytes.fromhex("02 00000005 01 0000 0000")


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        SEED[:-1],
        SEED,
        SEED + b"\x00",
        SEED + b"\x01" + bytes(15),
        SEED + bytes((MOST_STEPS + 1,)) + bytes(500),
        SEED + b"\x01" + bytes.fromhex("0002 0001") + bytes(100),
    ],
)
def test_broken_policies_are_refused(broken: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        Policy.decode(memoryview(broken))


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"\1\0\0\0", b"\2\0\0\0\0", b"\3shaping-2" + bytes(99), bytes(4)]
)
def test_what_is_none_of_ours_says_nothing(data: bytes) -> None:
    message = payload(data)
    assert not shaping.is_offer(message)
    assert shaping.read_policy(message) is None
    assert shaping.read_filler(message) is None


@pytest.mark.parametrize("message", [b"\x02", b"\x02\0\0", b"\x02\xff\xff\xff\xff"])
def test_messages_cut_short_say_nothing(message: bytes) -> None:
    assert not shaping.is_offer(memoryview(message))
    assert shaping.read_policy(memoryview(message)) is None
    assert shaping.read_filler(memoryview(message)) is None


def test_what_a_filler_asks_for() -> None:
    assert shaping.read_filler(memoryview(filler(100, 7, 9))) == (False, 7, 9)
    assert shaping.read_filler(memoryview(filler(0, is_answer=True))) == (True, 0, 0)


@pytest.mark.parametrize("size", [60, 100, 101, 555, 1440])
def test_a_filler_adds_about_its_size_to_what_is_sent(size: int) -> None:
    pair = connected(CHACHA)
    pair.client.transport.send(filler(size))
    assert abs(len(pair.client.take()) - size) <= 8


def test_ignored_messages_are_nothing_to_who_does_not_know_them() -> None:
    pair = connected(CHACHA)
    policy = Policy.draw(SeededRng(1))
    for message in (shaping.offer(200), shaping.policy_message(policy, 0), filler(0, 999, 999)):
        pair.client.transport.send(message)
        pair.server.transport.send(message)
    pair.run()
    endpoint, _channel = pair.open()
    assert endpoint.events == [("opened",)]


def test_our_policy_is_the_same_for_the_same_dial_and_another_for_another() -> None:
    assert Policy.draw(SeededRng(1)) == Policy.draw(SeededRng(1)) != Policy.draw(SeededRng(2))


def test_a_stream_is_added_four_kilobytes_at_most() -> None:
    assert MOST_UP + MOST_DOWN <= 4096
