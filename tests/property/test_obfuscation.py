"""Properties of the obfuscation layer: any split of any stream, any expression, any history."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.base.errors import DocumentError, RemoteProtocolError
from headrace.base.rng import SeededRng
from headrace.obfuscation import (
    Accepted,
    ClientObfuscator,
    ClientPrefix,
    PrefixSpecs,
    Reject,
    SeedMemory,
    ServerObfuscator,
)
from headrace.obfuscation.framing import LAST_CHUNK, Deframer, frame
from headrace.obfuscation.padding_lines import padding_lines
from headrace.obfuscation.regex_sample import longest, sample
from headrace.obfuscation.regex_syntax import parse
from headrace.store.seed_history import SeedHistory

KEYWORD = b"a keyword"
NAMES = st.text(min_size=1, max_size=40).filter(lambda name: name.encode(errors="ignore").decode() == name)
# Each preamble costs key derivations, about a millisecond apiece.
few = settings(max_examples=60)


def pieces(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    """Cut `data` at the given places, as far as it has them."""
    places = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    return [data[start:end] for start, end in pairwise(places)]


@few
@given(
    keyword=st.binary(max_size=80),
    seed=st.integers(),
    prefix=st.none() | st.tuples(NAMES, st.binary(max_size=200)),
    known=st.booleans(),
    framed=st.booleans(),
    cuts=st.lists(st.integers(0, 9000), max_size=8),
    talk=st.tuples(st.binary(max_size=50), st.binary(max_size=50)),
)
def test_any_client_meets_any_server(
    keyword: bytes,
    seed: int,
    prefix: tuple[str, bytes] | None,
    known: bool,
    framed: bool,
    cuts: list[int],
    talk: tuple[bytes, bytes],
) -> None:
    expression = r"[\x00-\xff]{0,60}"
    if framed and prefix:  # what follows a head only
        prefix = (prefix[0], b"POST /something HTTP/1.1\r\n" + prefix[1] + b"\r\n\r\n")
        expression, known = r"HTTP/1\.1 200 OK\r\n[a-z]{6,60}\r\n\r\n", True
    chosen = ClientPrefix(*prefix, framed=framed) if prefix else None
    client = ClientObfuscator(keyword, SeededRng(seed), prefix=chosen)
    specs = PrefixSpecs.compile({prefix[0]: expression} if prefix and known else {})
    server = ServerObfuscator(keyword, SeededRng(seed + 1), lambda seed: False, specs)
    up, down = talk

    outcome: Accepted | Reject | None = None
    leftover = b""
    for piece in pieces(b"".join(client.opening) + wrapped(client.veil.hide(up), client.framing), cuts):
        if not isinstance(outcome, Accepted):
            outcome = server.receive(piece)
        elif outcome.framing is not None:
            leftover += outcome.framing.receive(piece)
        else:
            leftover += piece
    assert isinstance(outcome, Accepted)
    assert outcome.veil.reveal(outcome.leftover + leftover) == up
    assert outcome.padding_length == client.padding_length
    assert outcome.prefix_name == (None if prefix is None else prefix[0] if known else "")

    heard = b""
    for piece in pieces(b"".join(outcome.opening) + wrapped(outcome.veil.hide(down), outcome.framing), cuts):
        heard += client.receive(piece) or b""
    assert client.ready
    clear = client.veil.reveal(heard)
    assert clear.endswith(b"\r\n" + down)


def wrapped(data: bytes, framing: Deframer | None) -> bytes:
    """Return `data` as a chunk if it is to be one."""
    return data if framing is None or not data else frame([data])


@few
@given(
    noise=st.binary(max_size=300),
    cuts=st.lists(st.integers(0, 300), max_size=8),
    flips=st.dictionaries(st.integers(0, 200), st.integers(1, 255), max_size=3),
)
def test_how_a_stream_is_cut_changes_nothing(noise: bytes, cuts: list[int], flips: dict[int, int]) -> None:
    client = ClientObfuscator(KEYWORD, SeededRng(1), padding=40, prefix=ClientPrefix("p", b"GET / HTTP"))
    data = bytearray(b"".join(client.opening) + noise)
    for place, mask in flips.items():
        if place < len(data):
            data[place] ^= mask
    whole, cut = (
        ServerObfuscator(KEYWORD, SeededRng(2), lambda seed: False, PrefixSpecs()) for _ in range(2)
    )
    expected = whole.receive(bytes(data))
    outcome: Accepted | Reject | None = None
    behind = b""
    for piece in pieces(bytes(data), cuts):
        if isinstance(outcome, Accepted):
            behind += piece
        else:
            outcome = cut.receive(piece)
    if isinstance(expected, Accepted):
        assert isinstance(outcome, Accepted)
        assert outcome.leftover + behind == expected.leftover
        assert outcome.opening == expected.opening
    else:
        assert outcome == expected


@few
@given(answer=st.lists(st.binary(max_size=3000), max_size=30))
def test_whatever_a_server_answers_the_client_waits_or_gives_up(answer: list[bytes]) -> None:
    client = ClientObfuscator(KEYWORD, SeededRng(1), prefix=ClientPrefix("p", b"GET / HTTP"))
    try:
        assert all(client.receive(piece) is None for piece in answer)
    except RemoteProtocolError:
        assert sum(map(len, answer)) >= 65_536


@given(total=st.integers(2, 8192), seed=st.integers())
def test_padding_lines(total: int, seed: int) -> None:
    lines = padding_lines(total, SeededRng(seed))
    assert len(lines) == total
    assert re.fullmatch(rb"(?:(?!SSH-)[^\r\n]{0,510}\r\n)+", lines)


# ---- regular expressions, built from what Go and Python understand alike

LITERALS = st.sampled_from(list("abcXYZ019 /:_-")).map(re.escape) | st.integers(0, 255).map(
    "\\x{:02x}".format
)
RANGES = (
    st.tuples(st.integers(0, 255), st.integers(0, 255)).map(sorted).map(r"\x{0[0]:02x}-\x{0[1]:02x}".format)
)
CLASSES = st.builds(
    "[{}{}]".format,
    st.sampled_from(["", "^"]),
    st.lists(RANGES | st.sampled_from(["a", "_", r"\d", r"\w", r"\]"]), min_size=1, max_size=3).map("".join),
)
ATOMS = LITERALS | CLASSES | st.sampled_from([".", r"\d", r"\w", r"\D", r"\W", r"\s"])
QUANTIFIERS = st.sampled_from(["", "", "?", "*", "+", "{2}", "{0,3}", "{1,}", "*?", "{2,4}?"])
EXPRESSIONS = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map("".join)
        | st.lists(inner, min_size=1, max_size=3).map("|".join).map("({})".format)
        | st.builds("(?:{}){}".format, inner, QUANTIFIERS)
    ),
    max_leaves=6,
)


@given(expression=EXPRESSIONS, seed=st.integers())
def test_what_is_generated_matches(expression: str, seed: int) -> None:
    try:
        node = parse(expression)
    except DocumentError as error:
        assert "empty" in str(error), "only a class that excludes everything has no member"
        return
    if longest(node) > 20_000:
        return
    member = sample(node, SeededRng(seed))
    assert re.fullmatch(expression.encode(), member)
    assert len(member) <= longest(node)


@given(
    expression=st.text(alphabet=st.sampled_from(list("ab\\[](){}|*+?.^$-:,<>=!09xdPiQ\xff€")), max_size=30)
)
def test_no_expression_breaks_the_parser(expression: str) -> None:
    try:
        specs = PrefixSpecs.compile({"x": expression})
    except DocumentError:
        return
    assert specs.generate("x", SeededRng(1)) is not None


# ---- the seed history against its rule


@dataclass
class Time:
    """A clock that is moved by hand."""

    now: float = field(default=1_700_000_000.0)

    def monotonic(self) -> float:
        return self.now

    def boottime(self) -> float:
        return self.monotonic()

    def time(self) -> float:
        return self.now


@given(
    capacity=st.integers(1, 8),
    steps=st.lists(st.tuples(st.integers(1, 40), st.integers(0, 11)), max_size=60),
)
def test_history_on_disk_follows_the_rule(capacity: int, steps: list[tuple[int, int]]) -> None:
    time = Time()
    memory = SeedMemory(capacity=capacity, lifetime=100)
    history = SeedHistory(None, time, capacity=capacity, ttl=100)
    for elapsed, number in steps:
        time.now += elapsed
        seed = bytes((number,)) * 16
        assert history.seen(seed) is memory.seen(seed, time.now)
    history.close()


@given(
    writes=st.lists(st.binary(min_size=1, max_size=400), max_size=12),
    cuts=st.lists(st.integers(0, 5000), max_size=12),
    kept=st.binary(max_size=30),
    inside=st.booleans(),
)
def test_frames_are_taken_apart_under_any_cutting(
    writes: list[bytes], cuts: list[int], kept: bytes, inside: bool
) -> None:
    stream = b"".join([b"\r\n" * inside, *(frame([data]) for data in writes), LAST_CHUNK])
    deframer = Deframer(inside=inside)
    found = b""
    for piece in pieces(stream, cuts):
        buffer = bytearray(kept + piece)
        end = deframer.strip(memoryview(buffer), len(kept), len(buffer))
        assert buffer[: len(kept)] == kept
        found += buffer[len(kept) : end]
    assert found == b"".join(writes)
    assert deframer.ended
