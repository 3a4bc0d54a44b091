"""Prefix specs: what the first bytes of a connection are made to look like (tunnel spec §3).

A spec is a name and one regular expression; a prefix is a random member of its language. The client's table
and the server's share the names, so that the server can answer a request with a fitting reply. Both tables
come from configuration, which `headrace.documents` reads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from headrace.base.errors import DocumentError
from headrace.base.rng import Rng
from headrace.obfuscation.http_heads import with_date, with_port
from headrace.obfuscation.preamble import MAX_NAME_SIZE, MAX_SEARCH, TERMINATOR_SIZE
from headrace.obfuscation.regex_sample import longest, most_steps, sample
from headrace.obfuscation.regex_syntax import Node, parse

__all__ = ["MAX_DELAY", "MAX_PREFIX", "ClientPrefix", "PrefixSpecs"]

MAX_PREFIX = MAX_SEARCH - TERMINATOR_SIZE  # bytes; a longer one might not be found by the other side
_MAX_STEPS = 4 * MAX_SEARCH
MAX_DELAY = 10  # seconds; more would eat the time a handshake has

_ANY_PORT = ""


@dataclass(frozen=True, slots=True)
class ClientPrefix:
    """The prefix chosen for one dial: the bytes themselves, so that a replayed dial sends them again."""

    name: str
    data: bytes
    split_delay: float = 0.0  # seconds between the prefix and what follows it
    framed: bool = False  # whether it is an HTTP head, and all that follows is framed as its chunked body
    joined: bool = False  # whether what follows is in the same segment


@dataclass(frozen=True, slots=True)
class PrefixSpecs:
    """A table of specs with the rules for using it. The empty one never draws a prefix."""

    patterns: Mapping[str, Node] = field(default_factory=dict)
    names_by_port: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    probability: float = 0.0
    split_delay: tuple[float, float] = (0.0, 0.0)  # seconds, least and most
    framed: frozenset[str] = frozenset()  # specs after which everything is framed
    joined: frozenset[str] = frozenset()  # specs that are sent together with what follows them
    completed: frozenset[str] = frozenset()  # HTTP heads that lack what no expression knows: port, and time
    padding: tuple[int, int] | None = None  # bytes behind a prefix, least and most; None leaves it to others

    @classmethod
    def compile(
        cls,
        expressions: Mapping[str, str],
        *,
        names_by_port: Mapping[str, Sequence[str]] | None = None,
        probability: float = 0.0,
        split_delay: tuple[float, float] = (0.0, 0.0),
        framed: frozenset[str] = frozenset(),
        joined: frozenset[str] = frozenset(),
        completed: frozenset[str] = frozenset(),
        padding: tuple[int, int] | None = None,
    ) -> "PrefixSpecs":
        """Make a table from regular expressions by spec name.

        `names_by_port` lists specs by dial port, "" being any other. Raises DocumentError, whose text names
        the spec or the rule that cannot be used.
        """
        patterns = {_checked_name(name): _pattern(name, text) for name, text in expressions.items()}
        scoped = {}
        for port, names in (names_by_port or {}).items():
            if port != _ANY_PORT and not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65_536):
                raise DocumentError(f'prefix specs by port: {port!r} is not a port, nor "" for any')
            if unknown := [name for name in names if name not in patterns]:
                raise DocumentError(f"prefix specs for port {port!r}: no spec is called {unknown[0]!r}")
            scoped[port] = tuple(names)
        if not 0 <= probability <= 1:
            raise DocumentError("the prefix probability must be from 0 to 1")
        if not 0 <= split_delay[0] <= split_delay[1] <= MAX_DELAY:
            raise DocumentError(f"prefix split delays must rise and stay within 0 and {MAX_DELAY} seconds")
        return cls(patterns, scoped, probability, split_delay, framed, joined, completed, padding)

    def draw(self, port: int, rng: Rng) -> ClientPrefix | None:
        """Choose what a dial to `port` starts with; None means no prefix this time.

        A port with a list of its own uses only that, even if it is empty.
        """
        names = self.names_by_port.get(str(port), self.names_by_port.get(_ANY_PORT, ()))
        if not names or not rng.chance(self.probability):
            return None
        name = rng.choice(names)
        joined = name in self.joined
        delay = 0.0 if joined else self.draw_delay(rng)
        data = sample(self.patterns[name], rng)
        if name in self.completed:
            data = with_port(data, port)
        return ClientPrefix(name, data, delay, name in self.framed, joined)

    def generate(self, name: str, rng: Rng, now: float = 0.0) -> bytes | None:
        """Return a random prefix of the spec called `name`, None when there is no such spec.

        It is an answer given `now`, in seconds since 1970.
        """
        pattern = self.patterns.get(name)
        if pattern is None:
            return None
        data = sample(pattern, rng)
        return with_date(data, now) if name in self.completed else data

    def draw_delay(self, rng: Rng) -> float:
        """Return the seconds to wait between a prefix and the rest, uniform in the configured range."""
        least, most = (round(bound * 1_000_000) for bound in self.split_delay)
        return rng.between(least, most) / 1_000_000


def _checked_name(name: str) -> str:
    try:
        size = len(name.encode())
    except UnicodeEncodeError:  # a lone surrogate
        size = 0
    if not 0 < size <= MAX_NAME_SIZE:
        raise DocumentError(f"a prefix spec's name must be 1 to {MAX_NAME_SIZE} bytes of UTF-8")
    return name


def _pattern(name: str, expression: str) -> Node:
    try:
        pattern = parse(expression)
    except DocumentError as error:
        raise DocumentError(f"prefix spec {name!r}: {error}") from None
    if longest(pattern) > MAX_PREFIX or most_steps(pattern) > _MAX_STEPS:
        raise DocumentError(f"prefix spec {name!r}: can grow beyond {MAX_PREFIX} bytes")
    return pattern
