import pytest

from headrace.base.errors import RemoteProtocolError
from headrace.base.rng import SeededRng
from headrace.obfuscation.preamble import (
    CLIENT_TO_SERVER,
    MAX_SEARCH,
    TERMINATOR_SIZE,
    TerminatorSearch,
    prefix_end,
    prefix_header,
    seed_message_fields,
    terminator,
)

KEYWORD = b"k"
HEAD = bytes(24)
TERMINATOR = terminator(KEYWORD, HEAD, CLIENT_TO_SERVER)


def search() -> TerminatorSearch:
    return TerminatorSearch(KEYWORD, HEAD, CLIENT_TO_SERVER)


def test_seed_message_fields() -> None:
    assert seed_message_fields(b"abc") == bytes.fromhex("0bf5ca7e 00000003") + b"abc"


def test_prefix_header_counts_bytes_not_letters() -> None:
    assert prefix_header("ü") == bytes.fromhex("0001 0002") + "ü".encode()


@pytest.mark.parametrize("size", [0, 1, 23, 24, 25, 100])
def test_prefix_end_fills_up_to_24_bytes(size: int) -> None:
    prefix = b"x" * size
    end = prefix_end(prefix, KEYWORD, CLIENT_TO_SERVER, SeededRng(1))
    assert len(end) == max(0, 24 - size) + TERMINATOR_SIZE
    assert end.endswith(terminator(KEYWORD, (prefix + end)[:24], CLIENT_TO_SERVER))


@pytest.mark.parametrize("before", [0, 1, 15, 16, 17, 1000, MAX_SEARCH - TERMINATOR_SIZE])
def test_terminator_is_found(before: int) -> None:
    assert search().feed(b"x" * before + TERMINATOR + b"rest") == b"rest"


@pytest.mark.parametrize("step", [1, 2, 7, 15, 16, 17, 31])
def test_terminator_is_found_across_pieces(step: int) -> None:
    data = b"x" * 50 + TERMINATOR[:9] + TERMINATOR + b"rest"
    skipping = search()
    for start in range(0, len(data), step):
        left = skipping.feed(data[start : start + step])
        if left is not None:
            assert left + data[start + step :] == b"rest"
            return
    pytest.fail("not found")


def test_what_lies_behind_the_bound_is_kept() -> None:
    behind = b"y" * MAX_SEARCH
    assert search().feed(TERMINATOR + behind) == behind


def test_terminator_beyond_the_bound_is_not_found() -> None:
    with pytest.raises(RemoteProtocolError):
        search().feed(b"x" * (MAX_SEARCH - TERMINATOR_SIZE + 1) + TERMINATOR)


def test_search_ends_at_the_bound() -> None:
    skipping = search()
    for _ in range(MAX_SEARCH // 8192 - 1):
        assert skipping.feed(bytes(8192)) is None
    assert skipping.feed(bytes(8191)) is None
    with pytest.raises(RemoteProtocolError):
        skipping.feed(b"x")
