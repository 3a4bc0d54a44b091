"""Names that say nothing: public ids, pseudonyms, paths of buckets (operations spec §1.2)."""

from collections.abc import Callable, Container
from typing import Final
from uuid import UUID

from headrace.base.rng import Rng

__all__ = ["bucket_id", "object_id", "pseudonym", "public_id", "unused"]

_ONSETS: Final = ("b", "br", "c", "d", "dr", "f", "fl", "g", "gl", "h", "j", "k", "l", "m", "n", "p", "pl")
_ONSETS_2: Final = ("r", "s", "sk", "st", "t", "tr", "v", "w", "z")
_VOWELS: Final = ("a", "e", "i", "o", "u", "ai", "ea", "oo", "ou")
_CODAS: Final = ("", "b", "d", "ft", "g", "l", "ll", "m", "n", "nd", "p", "r", "rk", "s", "st", "t", "x")

_BUCKET: Final = "abcdefghijklmnopqrstuvwxyz0123456789"


def object_id(rng: Rng) -> UUID:
    """Return a random UUID."""
    return UUID(bytes=rng.bytes(16), version=4)


def public_id(rng: Rng) -> str:
    """Return 64 random bits as 16 upper-case hexadecimal digits."""
    return rng.bytes(8).hex().upper()


def pseudonym(rng: Rng) -> str:
    """Return three nonsense words that can be said over a telephone."""
    return " ".join(_word(rng) for _ in range(3))


def bucket_id(rng: Rng) -> str:
    """Return a path that says nothing of another's: three groups of four letters and digits."""
    return "-".join("".join(rng.choice(_BUCKET) for _ in range(4)) for _ in range(3))


def unused(make: Callable[[Rng], str], used: Container[str], rng: Rng) -> str:
    """Return what `make` draws, drawn again for as long as it is in use."""
    while (name := make(rng)) in used:
        pass
    return name


def _word(rng: Rng) -> str:
    onsets = _ONSETS + _ONSETS_2
    syllables = [rng.choice(onsets) + rng.choice(_VOWELS) for _ in range(rng.between(1, 2))]
    return "".join(syllables) + rng.choice(_CODAS)
