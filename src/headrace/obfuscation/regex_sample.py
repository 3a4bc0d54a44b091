"""Random members of a regular language: each choice uniform, all randomness passed in."""

from headrace.base.rng import Rng
from headrace.obfuscation.regex_syntax import Choice, Literal, Node, OneOf, Repeat, Sequence

__all__ = ["longest", "most_steps", "sample"]


def sample(node: Node, rng: Rng) -> bytes:
    """Return one member: every alternative, repetition count and byte of a set is equally likely."""
    match node:
        case Literal(data):
            return data
        case OneOf(options):
            return bytes((rng.choice(options),))
        case Sequence(parts):
            return b"".join([sample(part, rng) for part in parts])
        case Choice(options):
            return sample(rng.choice(options), rng)
        case Repeat(part, low, high):  # pragma: no branch
            return b"".join([sample(part, rng) for _ in range(rng.between(low, high))])


def longest(node: Node) -> int:
    """Return the length in bytes of the longest member that `sample` can draw."""
    match node:
        case Literal(data):
            return len(data)
        case OneOf():
            return 1
        case Sequence(parts):
            return sum(longest(part) for part in parts)
        case Choice(options):
            return max(longest(option) for option in options)
        case Repeat(part, _, high):  # pragma: no branch
            return high * longest(part)


def most_steps(node: Node) -> int:
    """Return how many draws and joins `sample` needs at most; nested repetitions of nothing cost them too."""
    match node:
        case Literal() | OneOf():
            return 1
        case Sequence(parts):
            return 1 + sum(most_steps(part) for part in parts)
        case Choice(options):
            return 1 + max(most_steps(option) for option in options)
        case Repeat(part, _, high):  # pragma: no branch
            return 1 + high * most_steps(part)
