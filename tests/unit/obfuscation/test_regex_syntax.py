import string

import pytest

from headrace.base.errors import DocumentError
from headrace.obfuscation.regex_syntax import (
    UNBOUNDED_EXTRA,
    Choice,
    Literal,
    Node,
    OneOf,
    Repeat,
    Sequence,
    parse,
)

ALL = bytes(range(256))
WORD = b"0123456789" + string.ascii_uppercase.encode() + b"_" + string.ascii_lowercase.encode()


def without(excluded: bytes) -> Node:
    return OneOf(bytes(byte for byte in ALL if byte not in excluded))


@pytest.mark.parametrize(
    ("expression", "node"),
    [
        ("", Sequence(())),
        ("a", Literal(b"a")),
        ("abc", Literal(b"abc")),
        ("ab|c|", Choice((Literal(b"ab"), Literal(b"c"), Sequence(())))),
        ("(ab)c", Literal(b"abc")),
        ("()", Sequence(())),
        ("(?:a|b)c", Sequence((Choice((Literal(b"a"), Literal(b"b"))), Literal(b"c")))),
        ("(?P<name>a)", Literal(b"a")),
        ("(?<name>a)", Literal(b"a")),
        (".", without(b"\n")),
        ("(?s).", OneOf(ALL)),
        ("(?s:.)", OneOf(ALL)),
        ("(?s-s:.)", without(b"\n")),
        ("(?s:.).", Sequence((OneOf(ALL), without(b"\n")))),
        ("((?s).).", Sequence((OneOf(ALL), without(b"\n")))),
        ("(?mU)a", Literal(b"a")),
        ("(?)a", Literal(b"a")),
        ("(?i)a", OneOf(b"Aa")),
        ("(?i)[a-c]", OneOf(b"ABCabc")),
        ("(?i)[^a]", without(b"Aa")),
        ("(?i)é", Literal(b"\xe9")),
        ("^abc$", Literal(b"abc")),
        (r"\Aabc\z", Literal(b"abc")),
        ("^a|b$", Choice((Literal(b"a"), Literal(b"b")))),
        ("(?i)^a", OneOf(b"Aa")),
        # escapes
        (r"\x16\x03\xff", Literal(b"\x16\x03\xff")),
        (r"\x{7f}\x{0000fF}", Literal(b"\x7f\xff")),
        (r"\0\012\101", Literal(b"\0\nA")),
        (r"\a\f\t\n\r\v", Literal(b"\a\f\t\n\r\v")),
        (r"\.\*\\\-\/\"", Literal(b'.*\\-/"')),
        (r"\d", OneOf(b"0123456789")),
        (r"\D", without(b"0123456789")),
        (r"\s", OneOf(b"\t\n\f\r ")),
        (r"\S", without(b"\t\n\f\r ")),
        (r"\w", OneOf(WORD)),
        (r"\W", without(WORD)),
        ("é", Literal(b"\xe9")),
        # repetition
        ("a?", Repeat(Literal(b"a"), 0, 1)),
        ("a*", Repeat(Literal(b"a"), 0, UNBOUNDED_EXTRA)),
        ("a+?", Repeat(Literal(b"a"), 1, 1 + UNBOUNDED_EXTRA)),
        ("a{3}", Repeat(Literal(b"a"), 3, 3)),
        ("a{3,}", Repeat(Literal(b"a"), 3, 3 + UNBOUNDED_EXTRA)),
        ("a{3,5}?", Repeat(Literal(b"a"), 3, 5)),
        ("a{1000}", Repeat(Literal(b"a"), 1000, 1000)),
        ("a{,5}", Literal(b"a{,5}")),
        ("a{x}", Literal(b"a{x}")),
        ("{", Literal(b"{")),
        ("ab+", Sequence((Literal(b"a"), Repeat(Literal(b"b"), 1, 1 + UNBOUNDED_EXTRA)))),
        ("(ab)+", Repeat(Literal(b"ab"), 1, 1 + UNBOUNDED_EXTRA)),
        ("(?:a){2}", Repeat(Literal(b"a"), 2, 2)),
        ("(?P<n>a){2}", Repeat(Literal(b"a"), 2, 2)),
        # classes
        ("[abc]", OneOf(b"abc")),
        ("[a]", Literal(b"a")),
        ("[a-cx]", OneOf(b"abcx")),
        ("[^abc]", without(b"abc")),
        ("[]a]", OneOf(b"]a")),
        ("[^]a]", without(b"]a")),
        ("[a^]", OneOf(b"^a")),
        ("[-a]", OneOf(b"-a")),
        ("[a-]", OneOf(b"-a")),
        (r"[\d\-x]", OneOf(b"-0123456789x")),
        (r"[\x00-\xff]", OneOf(ALL)),
        (r"[\]\\]", OneOf(b"\\]")),
        ("[.*+?(|)$]", OneOf(b"$()*+.?|")),
        ("[[:digit:]_]", OneOf(b"0123456789_")),
        ("[[:^digit:]]", without(b"0123456789")),
        ("[[:xdigit:]]", OneOf(b"0123456789ABCDEFabcdef")),
        ("[[:punct:]]", OneOf(string.punctuation.encode())),
        ("[[a]", OneOf(b"[a")),
    ],
)
def test_tree(expression: str, node: Node) -> None:
    expected = OneOf(bytes(sorted(node.options))) if isinstance(node, OneOf) else node
    assert parse(expression) == expected


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("a)", "without '\\('"),
        ("(a", "missing"),
        ("(?:a", "missing"),
        ("*", "repeats nothing"),
        ("a|+", "repeats nothing"),
        (r"\777", "only bytes"),
        ("a**", "cannot be repeated"),
        ("a{2}{3}", "cannot be repeated"),
        ("a{1001}", "repetition count"),
        ("a{5,3}", "repetition count"),
        ("a^b", "very ends"),
        ("a$b", "very ends"),
        ("(^a)", "very ends"),
        ("(a$)", "very ends"),
        (r"a\zb", "unknown escape"),
        (r"\bword", "unknown escape"),
        (r"\pL", "unknown escape"),
        (r"\Qa\E", "unknown escape"),
        (r"(a)\1", "back references"),
        (r"\8", "back references"),
        ("(?=a)", "lookaround"),
        ("(?!a)", "lookaround"),
        ("(?<=a)", "lookaround"),
        ("(?<!a)", "lookaround"),
        ("(?P<1>a)", "group name"),
        ("(?<n", "missing"),
        ("(?P=n)", "unknown kind"),
        ("(?x)a", "unknown kind"),
        ("(?i-)a", "unknown kind"),
        ("(?i", "unknown kind"),
        ("(?#a)", "unknown kind"),
        ("[a", "too early"),
        ("[", "too early"),
        ("[]", "too early"),
        ("[b-a]", "bad range"),
        (r"[a-\d]", "bad range"),
        (r"[^\x00-\xff]", "empty"),
        ("[[:nothing:]]", "named class"),
        ("[[:alpha", "missing"),
        ("\\", "too early"),
        (r"\x4", "too early"),
        (r"\xg0", "hexadecimal"),
        (r"\x{}", "hexadecimal"),
        (r"\x{100}", "only bytes"),
        (r"\x{110000}", "only bytes"),
        (r"\x{123456789}", "hexadecimal"),
        ("€", "only bytes"),
        ("[€]", "only bytes"),
        ("(" * 51 + ")" * 51, "too deeply"),
        ("a" * 16_385, "limited"),
    ],
)
def test_errors(expression: str, complaint: str) -> None:
    with pytest.raises(DocumentError, match=complaint):
        parse(expression)


def test_errors_name_the_place() -> None:
    with pytest.raises(DocumentError, match="at character 5"):
        parse("abc*?*")


def test_deepest_nesting() -> None:
    assert parse("(" * 50 + "a" + ")" * 50) == Literal(b"a")
