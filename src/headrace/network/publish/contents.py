"""A content: something that is to be at a place, known by what it is made from long before it is made.

Its *parts* say what that is: a name for each thing, and the thing's version. They are cheap to find, where
making the content is not, and the ledger keeps those of what was published. So whether it has to be published
again is a comparison, and the difference tells people why.

Versions are short texts. One that is, or ends with, "#" and a digest means nothing to people.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final, NamedTuple

import msgspec

from headrace.base.errors import HeadraceError
from headrace.network.publish.kinds import Kind
from headrace.network.publish.stores.stored import StoredObject

__all__ = [
    "DAY",
    "Content",
    "Key",
    "Parts",
    "count_and_fingerprint",
    "day",
    "differences",
    "fingerprint",
    "unmakeable",
]

#: The part of contents that are made anew every day.
DAY: Final = "day"

_FINGERPRINT: Final = 16  # hexadecimal digits


class Key(NamedTuple):
    """What names a content in the ledger."""

    kind: Kind
    key: str
    place: str  #: see `places`


class Parts:
    """What contents are made from, part -> version. Many contents may share one of these."""

    def __init__(self, versions: Mapping[str, str]) -> None:
        self.versions = versions

    @cached_property
    def digest(self) -> str:
        """SHA-256 over them all, in hexadecimal digits."""
        return hashlib.sha256(msgspec.json.encode(self.versions, order="sorted")).hexdigest()


@dataclass(frozen=True, slots=True)
class Content:
    """One row of the ledger as it ought to be.

    `render` makes the objects, in the order in which they are put: what others refer to comes first. It may
    be called long after this was made, within the same view, and once.
    """

    id: Key
    parts: Parts
    render: Callable[[], Iterable[StoredObject]]


def unmakeable(identity: Key, error: HeadraceError) -> Content:
    """Return a content which cannot be made for now: its turn to be published ends with this error."""

    def render() -> Iterable[StoredObject]:
        raise error

    return Content(identity, Parts({"what it is made of": "not at hand"}), render)


def differences(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each part that is not the same in both, and what to tell people of it."""
    for name in sorted(old.keys() | new.keys()):
        before, now = old.get(name), new.get(name)
        if before != now:
            yield name, _difference(name, before, now)


def day(now: datetime) -> str:
    """Return the version of the part `DAY`."""
    return now.strftime("%Y-%m-%d")


def fingerprint(*values: object) -> str:
    """Return a version that tells whether these values, none of them secret, have changed.

    Their representations have to say all there is to them.
    """
    return f"#{hashlib.sha256(repr(values).encode()).hexdigest()[:_FINGERPRINT]}"


def count_and_fingerprint(values: Sequence[object]) -> str:
    """Return a version that tells how many values there are, too."""
    return f"{len(values):,} {fingerprint(*values)}"


def _difference(name: str, before: str | None, now: str | None) -> str:
    if name == DAY:
        return "a new day"
    if before is None:
        return f"{name}: new"
    if now is None:
        return f"{name}: no more"
    shown_before, shown_now = (version.partition("#")[0].strip() for version in (before, now))
    if shown_before == shown_now:
        return f"{name}: changed"
    return f"{name}: {shown_before or 'something'} → {shown_now or 'something else'}"
