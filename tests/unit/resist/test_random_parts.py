"""F3 takes the part of a connection that is to look random, and no more."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.base.rng import Rng, SeededRng
from headrace.resist.flows import Flow, Sample, Segment
from headrace.resist.random_parts import RandomParts, random_part

RANDOM = SeededRng(1).bytes(3000)
POST = b"POST /a HTTP/1.1\r\nHost: example.com\r\nContent-Length: 123456789\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 123456789\r\n\r\n"
CHUNKED = b"POST /a HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("prefix", [b"", POST, ANSWER, b"prefix"])
def test_a_prefix_is_left_out(prefix: bytes) -> None:
    assert random_part(prefix + RANDOM, 3000) == RANDOM
    assert random_part(prefix + RANDOM, 100) == RANDOM[:100]


@given(st.lists(st.integers(1, 700), max_size=8))
def test_the_framing_of_chunks_is_left_out(sizes: list[int]) -> None:
    stream, content, place = CHUNKED, b"", 0
    for size in sizes:
        piece = RANDOM[place : place + size]
        place += len(piece)
        content += piece
        stream += b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
    assert random_part(stream + b"0\r\n\r\n") == content


def test_a_chunk_that_never_ends_is_taken_as_far_as_it_goes() -> None:
    assert random_part(CHUNKED + b"7fffffffffffffff\r\n" + RANDOM, 5000) == RANDOM


@given(st.binary(max_size=200))
def test_anything_is_taken(stream: bytes) -> None:
    assert len(random_part(CHUNKED + stream)) <= len(stream)
    assert len(random_part(stream)) <= len(stream)


def sample(rng: Rng, count: int, answer: bytes | None = None) -> Sample:
    """Connections with 5,000 bytes each way, behind an HTTP head."""
    flows = []
    for _ in range(count):
        flow = Flow(("127.0.0.1", 1), ("127.0.0.1", 2), 0.0)
        flow.segments = [
            Segment(0.0, True, POST + rng.bytes(5000)),
            Segment(0.1, False, ANSWER + (answer or rng.bytes(5000))),
        ]
        flows.append(flow)
    return Sample(Path(), flows, http=True)


def test_each_direction_has_its_row() -> None:
    rng = SeededRng(1)
    parts = RandomParts(rng=rng)
    parts.take(sample(rng, 100))
    parts.take(sample(rng, 100))
    up, down = parts.rows("http-post")
    assert (up.detector, down.detector) == ("F3 up", "F3 down")
    assert all((row.sample, row.hits, row.met, row.control_ok) == (200, 0, True, True) for row in (up, down))
    assert "p = " in up.note


def test_what_is_not_random_is_told_by_the_measures_that_failed() -> None:
    rng = SeededRng(1)
    parts = RandomParts(rng=rng)
    parts.take(sample(rng, 60, bytes(range(250)) * 20))
    up, down = parts.rows("http-post")
    assert (up.met, down.met) == (True, False)
    assert "repeats" in down.note


def test_nothing_captured_is_not_run() -> None:
    rows = RandomParts().rows("bare")
    assert [(row.ran, row.met) for row in rows] == [(False, None)] * 2
