"""Each detector on made-up connections: it flags what it is for, and nothing beside it."""

from collections import Counter
from pathlib import Path

import pytest

from headrace.base.rng import SeededRng
from headrace.resist.alphabet import Alphabet, most_pairs
from headrace.resist.first_packet import RULES, FirstPacketRule
from headrace.resist.flows import Flow, Sample, Segment
from headrace.resist.pattern_rules import PATTERN_RULES
from headrace.resist.walk import Walk, longest_chain

RNG = SeededRng(1)
PLAIN = bytes((0xE8, 0x0F)) * 100  # four bits of eight, nothing printable


def flow(*payloads: bytes, answers: tuple[bytes, ...] = (), port: int = 20_000) -> Flow:
    segments = [Segment(0.0, True, data) for data in payloads] + [
        Segment(0.0, False, data) for data in answers
    ]
    return Flow(("127.0.0.1", 1), ("127.0.0.1", port), 0.0, segments)


def sample(*flows: Flow, http: bool = False) -> Sample:
    return Sample(Path("nowhere.pcap"), flows, http)


PAPER, SCRIPT, NDPI = RULES[:3]


@pytest.mark.parametrize(
    ("payload", "flagged"),
    [
        (PLAIN, True),
        (b"GET " + PLAIN, False),
        (b"GETX" + PLAIN, True),
        (b"\x16\x03\x03" + PLAIN, False),
        (b"\x16\x03\x0a" + PLAIN, True),
        (b"abcdef" + PLAIN, False),
        (b"abcde" + PLAIN, True),
        (PLAIN + b"K" * 20 + PLAIN, True),
        (PLAIN + b"K" * 21 + PLAIN, False),
        (b"\xe8K" * 50, True),
        (b"\xe8K" * 50 + b"K", False),
        (bytes(50), False),
        (b"\xff" * 50, False),
        (b"", False),
    ],
)
def test_first_packets_at_every_boundary(payload: bytes, flagged: bool) -> None:
    assert PAPER.flagged(payload) is flagged


def test_the_forms_of_the_rule_differ_where_they_are_said_to() -> None:
    newer, run = b"\x16\x03\x0f" + PLAIN, PLAIN + b"K" * 20 + PLAIN
    assert [rule.flagged(newer) for rule in (PAPER, SCRIPT, NDPI)] == [True, False, True]
    assert [rule.flagged(run) for rule in (PAPER, SCRIPT, NDPI)] == [True, True, False]


def test_both_directions_are_looked_at() -> None:
    one = flow(b"GET / HTTP/1.1", answers=(PLAIN,))
    assert [rule.id for rule in RULES if rule.flags(sample(one))] == [rule.id for rule in RULES]
    assert {rule.id for rule in RULES if any(rule.flags(sample(one)))} == {
        rule.id for rule in RULES if not rule.up
    }
    assert FirstPacketRule("paper", up=False).id == "F1 paper, down"


def packets(count: int, tag: int) -> bytes:
    return b"".join(
        (length := 16 * RNG.between(1, 100)).to_bytes(4, "big") + RNG.bytes(length + tag)
        for _ in range(count)
    )


@pytest.mark.parametrize("tag", [16, 20, 32, 64])
def test_lengths_in_the_clear_are_walked_wherever_they_begin(tag: int) -> None:
    assert longest_chain(RNG.bytes(1000) + packets(7, tag)) >= 7


def test_random_bytes_lead_nowhere() -> None:
    assert longest_chain(RNG.bytes(200_000)) <= 2
    assert [longest_chain(data) for data in (b"", b"abc", bytes(4))] == [0, 0, 0]


def test_a_walk_of_either_direction_is_enough() -> None:
    shown, hidden = packets(5, 16), RNG.bytes(5000)
    flows = flow(shown, answers=(hidden,)), flow(hidden, answers=(shown,)), flow(hidden, answers=(hidden,))
    assert Walk().flags(sample(*flows)) == [True, True, False]


def test_small_alphabets() -> None:
    opcodes = [bytes((RNG.choice((0x20, 0x28, 0x30, 0x38)),)) + RNG.bytes(30) for _ in range(60)]
    constant = [RNG.bytes(5) + b"\x07" + RNG.bytes(30) for _ in range(60)]
    random = [RNG.bytes(30) for _ in range(60)]
    flows = [flow(*payloads) for payloads in (opcodes, constant, random)]
    assert Alphabet().flags(sample(*flows)) == [True, True, False]


def test_an_alphabet_of_any_size_is_found_if_it_is_not_all_values() -> None:
    """Twenty opcodes, letters, or half of the letters there are: none is there too often on its own."""
    opcodes, letters = (
        [bytes((least + RNG.between(0, size - 1),)) + RNG.bytes(30) for _ in range(100)]
        for least, size in ((0x40, 20), (0x20, 64))
    )
    flows = [flow(*payloads) for payloads in (opcodes, letters)]
    assert Alphabet().flags(sample(*flows)) == [True, True]


@pytest.mark.parametrize("count", [2, 10, 40, 100])
def test_chance_is_not_found(count: int) -> None:
    """The limit is where a position of random bytes is once in eight millions."""
    pairs = sorted(sum(n * (n - 1) // 2 for n in Counter(RNG.bytes(count)).values()) for _ in range(5_000))
    assert pairs[-1] <= most_pairs(count, 1e-6 / 8)
    assert sum(found > most_pairs(count, 0.05) for found in pairs) <= 5_000 * 0.06


def test_few_segments_mean_nothing() -> None:
    assert Alphabet().flags(sample(flow(*(RNG.bytes(8) for _ in range(8))))) == [False]


def test_segments_are_looked_at_as_on_ethernet() -> None:
    one = b"".join(b"\x17" + RNG.bytes(1447) for _ in range(40))
    assert Alphabet().flags(sample(flow(one), flow(RNG.bytes(40 * 1448)))) == [True, False]


def test_a_prefix_is_not_counted() -> None:
    one = flow(b"POST " + RNG.bytes(9), *(b"P" + RNG.bytes(9) for _ in range(6)))
    assert Alphabet().flags(sample(one)) == [True]
    one = flow(b"POST ", *(b"P" + RNG.bytes(9) for _ in range(2)))
    assert Alphabet().flags(sample(one, http=True)) == [False]


def test_the_sizes_of_chunks_are_not_counted() -> None:
    one = flow(*(b"30\r\n" + RNG.bytes(30) for _ in range(60)))
    assert Alphabet().flags(Sample(Path("nowhere.pcap"), [one], framed=True)) == [False]
    assert Alphabet().flags(sample(one)) == [True]


HTTP, SSH = "HTTP", "SSH"
POST = b"POST /up HTTP/1.1\r\nHost: a\r\n\r\n"
GET = b"GET /down HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/plain\r\n\r\n"


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (flow(POST, answers=(OK,)), {"F2d": HTTP, "F2f": HTTP}),
        (flow(POST, answers=(RNG.bytes(99),)), {"F2d": HTTP}),
        (flow(GET, answers=(OK,)), {"F2d": HTTP}),
        (flow(GET, answers=(OK,), port=80), {"F2d": HTTP, "F2f": HTTP}),
        (flow(GET, answers=(RNG.bytes(99),)), {}),
        (flow(b"SSH-2.0-x\r\n", answers=(b"SSH-2.0-y\r\n",)), {"F2e": SSH, "F2g": SSH}),
        (flow(RNG.bytes(99), answers=(RNG.bytes(99),)), {}),
        (flow(), {}),
    ],
)
def test_rules_of_classifiers(one: Flow, said: dict[str, str]) -> None:
    found = {rule.id: rule.classes(sample(one)) for rule in PATTERN_RULES}
    assert found == {rule.id: [said.get(rule.id, "Unknown")] for rule in PATTERN_RULES}
