"""Regular expressions over bytes, read in the Go syntax that the deployed configurations are written in.

Only what describes a regular language: no lookaround, no back references, no word boundaries, and anchors
just at the very ends, where they change nothing; of the rest, only `\\Q…\\E` and Unicode classes are left
out. Whatever is not supported raises DocumentError with the place it stands at. The result is a small tree,
made for generating members of the language rather than for matching.

    Node
    ├── Literal      these bytes
    ├── OneOf        one byte of a set
    ├── Sequence     one after another
    ├── Choice       one of several
    └── Repeat       low to high times

Python's own parser would not do: it is private, and its language is another one (`\\z`, `[[:alpha:]]`,
`\\x{7f}` and `{,3}` mean something else to it, or nothing).
"""

import re
from dataclasses import dataclass

from headrace.base.errors import DocumentError

__all__ = ["UNBOUNDED_EXTRA", "Choice", "Literal", "Node", "OneOf", "Repeat", "Sequence", "parse"]

UNBOUNDED_EXTRA = 32  # `*`, `+` and `{n,}` go this far beyond their minimum

_MAX_EXPRESSION = 16_384  # characters
_MAX_DEPTH = 50  # groups in groups
_MAX_REPEAT = 1000  # the same limit as in Go


@dataclass(frozen=True, slots=True)
class Literal:
    """Exactly these bytes."""

    data: bytes


@dataclass(frozen=True, slots=True)
class OneOf:
    """One byte out of `options`, which are in order, distinct, and two or more."""

    options: bytes


@dataclass(frozen=True, slots=True)
class Sequence:
    """All parts, one after another; possibly none."""

    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the options, of which there are two or more."""

    options: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Repeat:
    """`part`, `low` to `high` times, drawn afresh each time."""

    part: "Node"
    low: int
    high: int


Node = Literal | OneOf | Sequence | Choice | Repeat

_ALL = frozenset(range(256))
_DIGIT = frozenset(b"0123456789")
_LOWER = frozenset(b"abcdefghijklmnopqrstuvwxyz")
_UPPER = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_WORD = _DIGIT | _LOWER | _UPPER | {ord("_")}
_SPACE = frozenset(b"\t\n\f\r ")
_GRAPH = frozenset(range(0x21, 0x7F))

_SETS = {
    "d": _DIGIT,
    "D": _ALL - _DIGIT,
    "s": _SPACE,
    "S": _ALL - _SPACE,
    "w": _WORD,
    "W": _ALL - _WORD,
}
_NAMED_SETS = {
    "alnum": _DIGIT | _LOWER | _UPPER,
    "alpha": _LOWER | _UPPER,
    "ascii": frozenset(range(0x80)),
    "blank": frozenset(b"\t "),
    "cntrl": frozenset(range(0x20)) | {0x7F},
    "digit": _DIGIT,
    "graph": _GRAPH,
    "lower": _LOWER,
    "print": _GRAPH | {0x20},
    "punct": _GRAPH - _WORD | {ord("_")},
    "space": _SPACE | {0x0B},
    "upper": _UPPER,
    "word": _WORD,
    "xdigit": _DIGIT | frozenset(b"abcdefABCDEF"),
}
_CONTROLS = {"a": 7, "f": 12, "t": 9, "n": 10, "r": 13, "v": 11}
_OCTAL = "01234567"
_HEX = frozenset("0123456789abcdefABCDEF")
_FLAGS = frozenset("imsU")
_BOUNDS = re.compile(r"\{(\d{1,9})(,(\d{1,9})?)?\}", re.ASCII)


def parse(expression: str) -> Node:
    """Return the tree of `expression`; each of its characters stands for one byte, so U+00FF is the last.

    Raises DocumentError for anything malformed or not supported.
    """
    if len(expression) > _MAX_EXPRESSION:
        raise DocumentError(f"a regular expression is limited to {_MAX_EXPRESSION} characters")
    return _Parser(expression).whole()


class _Parser:
    """Recursive descent; the depth of groups is bounded, so the depth of calls is."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._flags: frozenset[str] = frozenset()

    def whole(self) -> Node:
        node = self._alternation()
        if self._at < len(self._text):
            raise self._error("')' without '('")
        return node

    # ---- structure

    def _alternation(self) -> Node:
        options = [self._concatenation()]
        while self._skip("|"):
            options.append(self._concatenation())
        return Choice(tuple(options)) if len(options) > 1 else options[0]

    def _concatenation(self) -> Node:
        parts: list[Node] = []
        while self._peek() not in ("", "|", ")"):
            if self._depth == 0 and self._text[self._at :] in ("$", r"\z"):
                self._at = len(self._text)
            elif self._depth == 0 and not parts and (self._skip("^") or self._skip(r"\A")):
                continue
            elif self._skip("(?"):
                parts += self._special_group()
            else:
                part = self._quantified(self._atom())
                if isinstance(part, Literal) and parts and isinstance(parts[-1], Literal):
                    parts[-1] = Literal(parts[-1].data + part.data)
                else:
                    parts.append(part)
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def _atom(self) -> Node:
        char = self._next()
        match char:
            case "(":
                return self._group()
            case "[":
                return _one_of(self._class())
            case ".":
                return _one_of(_ALL if "s" in self._flags else _ALL - {ord("\n")})
            case "\\":
                return _one_of(self._fold(self._escape()))
            case "*" | "+" | "?":
                raise self._error(f"{char!r} repeats nothing")
            case "^" | "$":
                raise self._error(f"{char!r} may stand only at the very ends")
            case _:
                return _one_of(self._fold(frozenset({self._byte(char)})))

    def _group(self) -> Node:
        """Read the inside of a group and its ')'. Flags set inside end with it."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._error("groups nested too deeply")
        outer = self._flags
        node = self._alternation()
        if not self._skip(")"):
            raise self._error("')' is missing")
        self._flags = outer
        self._depth -= 1
        return node

    def _special_group(self) -> list[Node]:
        """Read on after '(?': a named or non-capturing group, or flags for the rest of this one."""
        if self._peek() in ("=", "!") or self._text[self._at : self._at + 2] in ("<=", "<!"):
            raise self._error("lookaround is not supported")
        if self._skip("P<") or self._skip("<"):
            name = self._until(">")
            if not (name.isidentifier() and name.isascii()):
                raise self._error("bad group name")
            return [self._quantified(self._group())]
        outer = self._flags
        added, minus, removed = self._word().partition("-")
        if not _FLAGS.issuperset(added + removed) or (minus and not removed):
            raise self._error("unknown kind of group")
        flags = (outer | set(added)) - set(removed)
        if self._skip(")"):
            self._flags = flags
            return []
        if not self._skip(":"):
            raise self._error("unknown kind of group")
        self._flags = flags
        node = self._group()
        self._flags = outer
        return [self._quantified(node)]

    # ---- repetition

    def _quantified(self, node: Node) -> Node:
        bounds = self._quantifier()
        if bounds is None:
            return node
        self._skip("?")  # which repetition a matcher would prefer makes no difference to the language
        if self._peek() in ("*", "+", "?") or self._bounds(self._at) is not None:
            raise self._error("a repetition cannot be repeated")
        low, high = bounds
        return Repeat(node, low, low + UNBOUNDED_EXTRA if high is None else high)

    def _quantifier(self) -> tuple[int, int | None] | None:
        if self._skip("*"):
            return 0, None
        if self._skip("+"):
            return 1, None
        if self._skip("?"):
            return 0, 1
        found = self._bounds(self._at)
        if found is None:
            return None
        low, high, self._at = found
        if max(low, high or 0) > _MAX_REPEAT or (high is not None and high < low):
            raise self._error("bad repetition count")
        return low, high

    def _bounds(self, at: int) -> tuple[int, int | None, int] | None:
        """Read {n}, {n,} or {n,m} at `at`; anything else that starts with a brace is literal text."""
        found = _BOUNDS.match(self._text, at)
        if found is None:
            return None
        low = int(found[1])
        high = low if found[2] is None else int(found[3]) if found[3] else None
        return low, high, found.end()

    # ---- sets of bytes

    def _class(self) -> frozenset[int]:
        """Read on after '[' up to and including ']'."""
        negated = self._skip("^")
        found: frozenset[int] = frozenset()
        first = True
        while first or self._peek() != "]":
            first = False
            if self._skip("[:"):
                found |= self._named_set()
                continue
            low = self._member()
            if self._peek() == "-" and self._text[self._at + 1 : self._at + 2] not in ("]", ""):
                self._at += 1
                high = self._member()
                if len(low) != 1 or len(high) != 1 or min(low) > min(high):
                    raise self._error("bad range")
                low = frozenset(range(min(low), min(high) + 1))
            found |= low
        self._at += 1
        found = self._fold(found)
        if negated:
            found = _ALL - found
        if not found:
            raise self._error("this class is empty")
        return found

    def _member(self) -> frozenset[int]:
        char = self._next()
        return self._escape() if char == "\\" else frozenset({self._byte(char)})

    def _named_set(self) -> frozenset[int]:
        negated = self._skip("^")
        name = self._until(":]")
        if name not in _NAMED_SETS:
            raise self._error("unknown named class")
        return _ALL - _NAMED_SETS[name] if negated else _NAMED_SETS[name]

    def _escape(self) -> frozenset[int]:
        """Read on after a backslash."""
        char = self._next()
        if char in _SETS:
            return _SETS[char]
        if char in _CONTROLS:
            return frozenset({_CONTROLS[char]})
        if char == "x":
            digits = self._until("}") if self._skip("{") else self._next() + self._next()
            if not 0 < len(digits) <= 8 or not _HEX.issuperset(digits):
                raise self._error("bad hexadecimal escape")
            return frozenset({self._byte(chr(min(int(digits, 16), 0x100)))})
        if char == "0" or (char in _OCTAL and self._peek() in _OCTAL and self._peek()):
            digits = char
            while len(digits) < 3 and self._peek() and self._peek() in _OCTAL:
                digits += self._next()
            return frozenset({self._byte(chr(int(digits, 8)))})
        if char.isascii() and not char.isalnum():
            return frozenset({self._byte(char)})
        raise self._error("back references are not supported" if char.isdigit() else "unknown escape")

    def _fold(self, found: frozenset[int]) -> frozenset[int]:
        if "i" not in self._flags:
            return found
        return found | {byte ^ 0x20 for byte in found & (_LOWER | _UPPER)}

    # ---- characters

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        if self._at == len(self._text):
            raise self._error("ends too early")
        self._at += 1
        return self._text[self._at - 1]

    def _skip(self, token: str) -> bool:
        found = self._text.startswith(token, self._at)
        if found:
            self._at += len(token)
        return found

    def _until(self, token: str) -> str:
        end = self._text.find(token, self._at)
        if end < 0:
            raise self._error(f"{token!r} is missing")
        word = self._text[self._at : end]
        self._at = end + len(token)
        return word

    def _word(self) -> str:
        start = self._at
        while self._peek() not in ("", ":", ")"):
            self._at += 1
        return self._text[start : self._at]

    def _byte(self, char: str) -> int:
        if ord(char) > 0xFF:
            raise self._error("only bytes (up to \\xff) can be generated")
        return ord(char)

    def _error(self, message: str) -> DocumentError:
        return DocumentError(f"regular expression, at character {self._at}: {message}")


def _one_of(found: frozenset[int]) -> Node:
    options = bytes(sorted(found))
    return OneOf(options) if len(options) > 1 else Literal(options)
