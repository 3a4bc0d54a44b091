import re
from collections import Counter

import pytest

from headrace.base.rng import SeededRng
from headrace.obfuscation.regex_sample import longest, most_steps, sample
from headrace.obfuscation.regex_syntax import parse

EXPRESSIONS = [
    r"\x16\x03\x01[\x00-\xff]{5}",
    r"GET /[a-z0-9]{8,24} HTTP/1\.1\r\nHost: [a-z]{4,12}\.example\.com\r\n\r\n",
    r"(GET|POST|PUT) /(\w+/)*[^/ \r\n]{0,3}",
    r"a?b*c+(d|e{2,3}|)",
    r"(?i)content-length: \d{3}",
    r"(?s).{20}",
    r"[^\n]{1,4}\D\W",
    r"^(?P<verb>[A-Z]{3,4})$",
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_members_match(expression: str) -> None:
    node = parse(expression)
    matches = re.compile(expression.encode("latin-1")).fullmatch
    rng = SeededRng(expression)
    for _ in range(200):
        member = sample(node, rng)
        assert matches(member)
        assert len(member) <= longest(node)


def test_choices_are_uniform() -> None:
    rng = SeededRng("uniform")
    node = parse("(a|bb|c{3}|d{1,4})[wxyz]")
    counts = Counter(sample(node, rng) for _ in range(8000))
    first: Counter[bytes] = Counter()
    for member, count in counts.items():
        first[member[:1]] += count
    assert all(abs(first[letter] - 2000) < 200 for letter in (b"a", b"b", b"c", b"d"))
    assert all(abs(counts[b"a" + letter] - 500) < 110 for letter in (b"w", b"x", b"y", b"z"))
    assert all(abs(sum(counts[b"d" * n + bytes((c,))] for c in b"wxyz") - 500) < 110 for n in range(1, 5))


def test_same_randomness_same_member() -> None:
    node = parse("[a-z]{30}")
    assert sample(node, SeededRng(7)) == sample(node, SeededRng(7)) != sample(node, SeededRng(8))


@pytest.mark.parametrize(
    ("expression", "length"),
    [("", 0), ("abc", 3), ("a|bcd|", 3), ("[ab]{2,5}", 5), ("(a(bc)?){3}", 9), ("a*", 32), ("a+", 33)],
)
def test_longest(expression: str, length: int) -> None:
    assert longest(parse(expression)) == length


def test_most_steps_sees_repetitions_of_nothing() -> None:
    node = parse("((){1000}){1000}")
    assert longest(node) == 0
    assert most_steps(node) > 1_000_000
    assert most_steps(parse("a|[bc]d")) == 4
