from collections.abc import Callable

import pytest
from tests.unit.obfuscation.preambles import (
    KEYWORD,
    PADDING,
    PREFIX,
    SEED,
    SPECS,
    header,
    make_server,
    prefixed,
    seed_message,
    shared_history,
)

from headrace.base.errors import LocalProtocolError
from headrace.base.rng import SeededRng
from headrace.crypto import Rc4, derive_key
from headrace.obfuscation import Accepted, Reject, RejectReason, ServerObfuscator
from headrace.obfuscation.framing import LAST_CHUNK, frame
from headrace.obfuscation.preamble import MAX_SEARCH, SERVER_TO_CLIENT, terminator

PLAIN = seed_message()
PREFIXED = prefixed(seed_message(behind=header()))
FRAMED = PREFIX + frame([prefixed(seed_message(behind=header(version=2)))[len(PREFIX) :]])
BOTH = pytest.mark.parametrize("preamble", [PLAIN, PREFIXED], ids=["plain", "prefixed"])


def accept(server: ServerObfuscator, data: bytes) -> Accepted:
    outcome = server.receive(data)
    assert isinstance(outcome, Accepted)
    return outcome


def refuse(server: ServerObfuscator, data: bytes) -> RejectReason:
    outcome = server.receive(data)
    assert isinstance(outcome, Reject)
    return outcome.reason


# ---- accepting


@BOTH
def test_whole(preamble: bytes) -> None:
    accepted = accept(make_server(), preamble)
    assert accepted.leftover == b""
    assert accepted.padding_length == len(PADDING)
    assert accepted.padding_prng_seed == PADDING[:32]


@BOTH
def test_trailing_data_stays_obfuscated_for_the_veil(preamble: bytes) -> None:
    accepted = accept(make_server(), preamble + b"trailing")
    assert accepted.leftover == b"trailing"
    stream = Rc4(derive_key(SEED, KEYWORD, b"client_to_server"))
    stream.update(bytes(8) + PADDING + (header() if preamble is PREFIXED else b""))
    assert accepted.veil.reveal(b"trailing") == stream.update(b"trailing")


@BOTH
def test_byte_by_byte(preamble: bytes) -> None:
    server = make_server()
    for byte in preamble[:-1]:
        assert server.receive(bytes((byte,))) is None
    accept(server, preamble[-1:])


@BOTH
def test_every_truncation_needs_more(preamble: bytes) -> None:
    for size in range(len(preamble)):
        server = make_server()
        assert server.receive(preamble[:size]) is None
        accept(server, preamble[size:])


@pytest.mark.parametrize("size", [0, 1, 31, 32, 8192])
def test_padding_lengths(size: int) -> None:
    padding = SeededRng(size).bytes(size)
    accepted = accept(make_server(), seed_message(padding))
    assert accepted.padding_length == size
    assert accepted.padding_prng_seed == (padding[:32] if size >= 32 else None)


@pytest.mark.parametrize("size", [24, 25, 100, 24 + MAX_SEARCH - 16])
def test_prefix_lengths(size: int) -> None:
    message = prefixed(seed_message(behind=header()), prefix=SeededRng(size).bytes(size))
    assert accept(make_server(), message).prefix_name == "known"


def test_after_accepting_there_is_nothing_more_to_receive() -> None:
    server = make_server()
    accept(server, PLAIN)
    with pytest.raises(LocalProtocolError):
        server.receive(b"x")


# ---- framing


@pytest.mark.parametrize("step", [1, 2, 5, 1000])
def test_a_framed_body(step: int) -> None:
    stream = FRAMED + frame([b"one"]) + frame([b"two"]) + LAST_CHUNK
    server, heard = make_server(), b""
    outcome: Accepted | Reject | None = None
    for at in range(0, len(stream), step):
        piece = stream[at : at + step]
        if isinstance(outcome, Accepted):
            assert outcome.framing is not None
            heard += outcome.framing.receive(piece)
        elif outcome := server.receive(piece):
            assert isinstance(outcome, Accepted)
            heard += outcome.leftover
    assert isinstance(outcome, Accepted)
    assert heard == b"onetwo"
    assert outcome.framing is not None
    assert outcome.framing.ended


def test_the_answer_is_framed_too() -> None:
    head, body = accept(make_server(), FRAMED).opening
    size, _, chunk = body.partition(b"\r\n")
    assert chunk.startswith(terminator(KEYWORD, head[:24], SERVER_TO_CLIENT))
    assert len(chunk) == int(size, 16) + len(b"\r\n")


def test_nothing_is_framed_unless_the_client_does() -> None:
    assert accept(make_server(), PREFIXED).framing is None


def test_what_is_no_chunk_is_a_stranger() -> None:
    assert refuse(make_server(), FRAMED[:-2] + b"no chunk at all") is RejectReason.BAD_FRAMING


# ---- the answer


def answer_stream() -> Rc4:
    return Rc4(derive_key(SEED, KEYWORD, SERVER_TO_CLIENT))


def test_opening_without_prefix() -> None:
    accepted = accept(make_server(min_padding=600, max_padding=600), PLAIN)
    assert accepted.prefix_name is None
    assert accepted.opening_delay == 0
    (segment,) = accepted.opening
    stream = answer_stream()
    lines = stream.update(segment)
    assert len(lines) == 600
    assert lines.endswith(b"\r\n")
    assert stream.update(accepted.veil.hide(b"SSH-2.0-x\r\n")) == b"SSH-2.0-x\r\n"


def test_opening_with_a_known_prefix() -> None:
    accepted = accept(make_server(min_padding=2, max_padding=2), PREFIXED)
    assert accepted.prefix_name == "known"
    first, second = accepted.opening
    assert first.startswith(b"HTTP/1.1 200 OK\r\n\r\n")
    assert second[:16] == terminator(KEYWORD, first[:24], SERVER_TO_CLIENT)
    assert answer_stream().update(second[16:]) == b"\r\n"


def test_opening_with_a_short_prefix() -> None:
    message = prefixed(seed_message(behind=header(b"short")))
    first, second = accept(make_server(min_padding=2, max_padding=2), message).opening
    assert len(first) == 5
    assert len(second) == 19 + 16 + 2
    assert second[19:35] == terminator(KEYWORD, first + second[:19], SERVER_TO_CLIENT)


@pytest.mark.parametrize("name", [b"", b"unknown", b"\xff\xfe", b"\0" * 4096, "schlüssel".encode()])
def test_opening_for_an_unknown_name_is_24_random_bytes(name: bytes) -> None:
    accepted = accept(make_server(min_padding=2, max_padding=2), prefixed(seed_message(behind=header(name))))
    assert accepted.prefix_name == ""
    (segment,) = accepted.opening
    assert len(segment) == 24 + 16 + 2
    assert segment[24:40] == terminator(KEYWORD, segment[:24], SERVER_TO_CLIENT)


def test_opening_delay_is_drawn_from_the_configured_range() -> None:
    specs = type(SPECS)(SPECS.patterns, split_delay=(0.005, 0.02))
    assert 0.005 <= accept(make_server(specs=specs), PREFIXED).opening_delay <= 0.02
    assert accept(make_server(specs=specs), PLAIN).opening_delay == 0


def test_padding_totals_spread_over_the_whole_range() -> None:
    totals = [len(accept(make_server(rng=SeededRng(seed)), PLAIN).opening[0]) for seed in range(100)]
    assert 2 <= min(totals) <= max(totals) <= 8192
    assert all(sum(total * 4 // 8193 == quarter for total in totals) > 10 for quarter in range(4))


@pytest.mark.parametrize(("least", "most"), [(1, 10), (10, 9), (2, 8193)])
def test_impossible_padding_range(least: int, most: int) -> None:
    with pytest.raises(LocalProtocolError, match="padding"):
        make_server(min_padding=least, max_padding=most)


# ---- refusing


class Asked:
    """A history that keeps a list of what it was asked."""

    def __init__(self, answer: bool = False) -> None:
        self.seeds: list[bytes] = []
        self._answer = answer

    def __call__(self, seed: bytes) -> bool:
        self.seeds.append(seed)
        return self._answer


def test_no_magic_and_no_terminator() -> None:
    server = make_server(history := Asked())
    assert server.receive(bytes(24 + MAX_SEARCH - 1)) is None
    assert refuse(server, b"x") is RejectReason.NO_TERMINATOR
    assert history.seeds == []


def test_wrong_magic_behind_a_prefix() -> None:
    history = Asked()
    assert refuse(make_server(history), prefixed(seed_message(magic=1))) is RejectReason.BAD_MAGIC
    assert history.seeds == []


def test_a_prefix_cannot_stand_behind_a_prefix() -> None:
    assert refuse(make_server(), prefixed(PREFIXED)) is RejectReason.BAD_MAGIC


@pytest.mark.parametrize("length", [8193, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_padding_too_long(length: int) -> None:
    assert refuse(make_server(), seed_message(padding_length=length)) is RejectReason.BAD_PADDING_LENGTH


def test_padding_length_is_not_looked_at_behind_a_wrong_magic() -> None:
    assert make_server().receive(seed_message(magic=0x0BF5CA7F, padding_length=8193)) is None


def test_a_seed_is_recorded_before_its_padding_length_is_looked_at() -> None:
    history = Asked()
    refuse(make_server(history), seed_message(padding_length=8193))
    assert history.seeds == [SEED]
    assert refuse(make_server(Asked(True)), seed_message(padding_length=8193)) is RejectReason.REPLAY


def test_replay_is_known_at_the_24th_byte() -> None:
    server = make_server(Asked(True))
    assert server.receive(PLAIN[:23]) is None
    assert refuse(server, PLAIN[23:24]) is RejectReason.REPLAY


@BOTH
def test_replay(preamble: bytes) -> None:
    seen = shared_history()
    accept(make_server(seen), preamble)
    for _ in range(3):
        assert refuse(make_server(seen), preamble) is RejectReason.REPLAY


def test_replay_behind_another_prefix() -> None:
    seen = shared_history()
    accept(make_server(seen), PLAIN)
    assert refuse(make_server(seen), PREFIXED) is RejectReason.REPLAY


@pytest.mark.parametrize(
    "bad",
    [header(version=0), header(version=3), header(version=0x0100), header(size=4097), header(size=0xFFFF)],
)
def test_bad_prefix_header(bad: bytes) -> None:
    assert refuse(make_server(), prefixed(seed_message(behind=bad))) is RejectReason.BAD_HEADER


@BOTH
def test_preamble_for_another_key(preamble: bytes) -> None:
    assert make_server(keyword=b"another").receive(preamble) is None


@pytest.mark.parametrize(
    ("make", "data"),
    [
        (lambda: make_server(Asked(True)), PLAIN),
        (make_server, bytes(24 + MAX_SEARCH)),
        (make_server, prefixed(seed_message(magic=1))),
        (make_server, seed_message(padding_length=8193)),
        (make_server, prefixed(seed_message(behind=header(version=3)))),
    ],
    ids=["replay", "no-terminator", "bad-magic", "bad-length", "bad-header"],
)
def test_a_refusal_is_final_and_swallows_everything(
    make: Callable[[], ServerObfuscator], data: bytes
) -> None:
    server = make()
    reason = refuse(server, data)
    for more in (b"", b"x", PLAIN, PREFIXED, bytes(200_000)):
        assert refuse(server, more) is reason


# ---- one flipped bit


def flips(preamble: bytes) -> list[bytes]:
    flipped = []
    for bit in range(len(preamble) * 8):
        altered = bytearray(preamble)
        altered[bit // 8] ^= 1 << bit % 8
        flipped.append(bytes(altered))
    return flipped


@BOTH
def test_a_recorded_preamble_with_any_bit_flipped_ends_in_silence(preamble: bytes) -> None:
    seen = shared_history()
    accept(make_server(seen), preamble)
    for altered in flips(preamble):
        outcome = make_server(seen).receive(altered)
        assert outcome is None or isinstance(outcome, Reject)


@BOTH
def test_a_fresh_preamble_with_any_bit_flipped_is_judged_without_surprise(preamble: bytes) -> None:
    # Nothing authenticates padding and spec name, so these flips go through: the SSH behind them decides.
    start = len(preamble) - len(seed_message(behind=header() if preamble is PREFIXED else b""))
    padding = range(start + 24, start + 24 + len(PADDING))
    name = range(padding.stop + 4, len(preamble))
    middle_of_prefix = range(24, len(PREFIX)) if preamble is PREFIXED else range(0)
    for bit, altered in enumerate(flips(preamble)):
        outcome = make_server().receive(altered)
        if bit // 8 in padding or bit // 8 in name or bit // 8 in middle_of_prefix:
            assert isinstance(outcome, Accepted)
        elif isinstance(outcome, Accepted):
            # A length made smaller leaves more behind; seed, magic and version admit no flip at all.
            lengths = {*range(start + 20, start + 24), *range(padding.stop + 2, name.start)}
            assert bit // 8 in lengths
        else:
            assert outcome is None or isinstance(outcome, Reject)
