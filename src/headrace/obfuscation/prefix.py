"""Prefix specs: what the first bytes of a connection are made to look like (tunnel spec §3).

A spec is a name and one regular expression; a prefix is a random member of its language. The client's table
and the server's share the names, so that the server can answer a request with a fitting reply. Both tables
come from configuration, in the form of the deployed programs:

    OSSHPrefixSpecs, ServerOSSHPrefixSpecs   {name: [["", regular expression]]}
    OSSHPrefixScopedSpecNames                {dial port, or "" for any other: [names]}
    OSSHPrefixProbability                    0 to 1
    OSSHPrefixSplitMinDelayMilliseconds, OSSHPrefixSplitMaxDelayMilliseconds

What cannot be used raises DocumentError, whose text starts with the setting's name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from headrace.base.errors import DocumentError
from headrace.base.rng import Rng
from headrace.obfuscation.preamble import MAX_NAME_SIZE, MAX_SEARCH, TERMINATOR_SIZE
from headrace.obfuscation.regex_sample import longest, most_steps, sample
from headrace.obfuscation.regex_syntax import Node, parse

__all__ = ["MAX_PREFIX", "ClientPrefix", "PrefixSpecs"]

MAX_PREFIX = MAX_SEARCH - TERMINATOR_SIZE  # bytes; a longer one might not be found by the other side
_MAX_STEPS = 4 * MAX_SEARCH
_MAX_DELAY = 10_000  # milliseconds; more would eat the time a handshake has

_ANY_PORT = ""


@dataclass(frozen=True, slots=True)
class ClientPrefix:
    """The prefix chosen for one dial: the bytes themselves, so that a replayed dial sends them again."""

    name: str
    data: bytes
    split_delay: float = 0.0  # seconds between the prefix and what follows it


@dataclass(frozen=True, slots=True)
class PrefixSpecs:
    """A table of specs with the rules for using it. The empty one never draws a prefix."""

    patterns: Mapping[str, Node] = field(default_factory=dict)
    scoped_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    probability: float = 0.0
    split_delay: tuple[int, int] = (0, 0)  # milliseconds, least and most

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "PrefixSpecs":
        """Read the client's settings out of `config`; what else is in it is left alone."""
        patterns = _patterns(config, "OSSHPrefixSpecs")
        return cls(
            patterns=patterns,
            scoped_names=_scoped_names(config, "OSSHPrefixScopedSpecNames", patterns),
            probability=_probability(config, "OSSHPrefixProbability"),
            split_delay=_delays(config),
        )

    @classmethod
    def from_server_config(cls, config: Mapping[str, Any]) -> "PrefixSpecs":
        """Read the server's settings out of `config`, which may hold the clients' settings as well."""
        return cls(patterns=_patterns(config, "ServerOSSHPrefixSpecs"), split_delay=_delays(config))

    def draw(self, port: int, rng: Rng) -> ClientPrefix | None:
        """Choose what a dial to `port` starts with; None means no prefix this time.

        A port with a list of its own uses only that, even if it is empty.
        """
        names = self.scoped_names.get(str(port), self.scoped_names.get(_ANY_PORT, ()))
        if not names or not rng.chance(self.probability):
            return None
        name = rng.choice(names)
        return ClientPrefix(name, sample(self.patterns[name], rng), self.draw_delay(rng))

    def generate(self, name: str, rng: Rng) -> bytes | None:
        """Return a random prefix of the spec called `name`, None when there is no such spec."""
        pattern = self.patterns.get(name)
        return None if pattern is None else sample(pattern, rng)

    def draw_delay(self, rng: Rng) -> float:
        """Return the seconds to wait between a prefix and the rest, uniform in the configured range."""
        least, most = self.split_delay
        return rng.between(least * 1000, most * 1000) / 1_000_000


def _patterns(config: Mapping[str, Any], key: str) -> dict[str, Node]:
    return {
        _name(name, key): _pattern(spec, f"{key}, {name!r}") for name, spec in _table(config, key).items()
    }


def _name(name: str, key: str) -> str:
    try:
        size = len(name.encode())
    except UnicodeEncodeError:  # a lone surrogate
        size = 0
    if not 0 < size <= MAX_NAME_SIZE:
        raise DocumentError(f"{key}: a spec's name must be 1 to {MAX_NAME_SIZE} bytes of UTF-8")
    return name


def _pattern(spec: Any, where: str) -> Node:
    match spec:
        case [["", str(expression)]]:
            pass
        case _:
            raise DocumentError(f'{where}: must have the form [["", "regular expression"]]')
    try:
        pattern = parse(expression)
    except DocumentError as error:
        raise DocumentError(f"{where}: {error}") from None
    if longest(pattern) > MAX_PREFIX or most_steps(pattern) > _MAX_STEPS:
        raise DocumentError(f"{where}: can grow beyond {MAX_PREFIX} bytes")
    return pattern


def _scoped_names(
    config: Mapping[str, Any], key: str, patterns: Mapping[str, Node]
) -> dict[str, tuple[str, ...]]:
    scoped = {}
    for port, names in _table(config, key).items():
        if port != _ANY_PORT and not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65_536):
            raise DocumentError(f'{key}: {port!r} is not a port, nor "" for any')
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise DocumentError(f"{key}, port {port!r}: must be a list of spec names")
        if unknown := [name for name in names if name not in patterns]:
            raise DocumentError(f"{key}, port {port!r}: no spec is called {unknown[0]!r}")
        scoped[port] = tuple(names)
    return scoped


def _table(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    table = config.get(key, {})
    if not isinstance(table, Mapping) or not all(isinstance(name, str) for name in table):
        raise DocumentError(f"{key}: must be an object")
    return table


def _probability(config: Mapping[str, Any], key: str) -> float:
    value = config.get(key, 0.0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise DocumentError(f"{key}: must be a number from 0 to 1")
    return float(value)


def _delays(config: Mapping[str, Any]) -> tuple[int, int]:
    least, most = (
        _milliseconds(config, key)
        for key in ("OSSHPrefixSplitMinDelayMilliseconds", "OSSHPrefixSplitMaxDelayMilliseconds")
    )
    if least > most:
        raise DocumentError("OSSHPrefixSplitMinDelayMilliseconds: must not exceed the maximum")
    return least, most


def _milliseconds(config: Mapping[str, Any], key: str) -> int:
    value = config.get(key, 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX_DELAY:
        raise DocumentError(f"{key}: must be a whole number of milliseconds up to {_MAX_DELAY}")
    return value
