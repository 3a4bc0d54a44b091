from collections import Counter

import pytest
from tests.unit.obfuscation.preambles import Script

from headrace.base.rng import SeededRng
from headrace.obfuscation.padding_lines import MAX_LINE_SIZE, padding_lines

#: Far beyond the one-in-a-million quantile of chi-square with about 250 degrees of freedom.
CHI_SQUARE_BOUND = 370


@pytest.mark.parametrize("total", [*range(2, 40), *range(505, 520), *range(1020, 1030), 8191, 8192])
def test_lines_fill_the_total_exactly(total: int) -> None:
    lines = padding_lines(total, SeededRng(total))
    assert len(lines) == total
    assert lines.endswith(b"\r\n")
    for line in lines.split(b"\r\n")[:-1]:
        assert len(line) + 2 <= MAX_LINE_SIZE
        assert b"\r" not in line
        assert b"\n" not in line
        assert not line.startswith(b"SSH-")


def test_line_ends_are_taken_out_and_made_up_for() -> None:
    assert padding_lines(6, Script([b"a\rb\n", b"cd"])) == b"abcd\r\n"


def test_a_line_like_an_identification_is_drawn_again() -> None:
    assert padding_lines(8, Script([b"SSH-2.", b"abcdef"])) == b"abcdef\r\n"


def test_content_is_uniform_over_what_is_allowed() -> None:
    rng = SeededRng("padding lines")
    counts = Counter(b"".join(padding_lines(8192, rng) for _ in range(50)).replace(b"\r\n", b""))
    assert set(counts) == set(range(256)) - set(b"\r\n")
    expected = counts.total() / 254
    assert sum((count - expected) ** 2 / expected for count in counts.values()) < CHI_SQUARE_BOUND
