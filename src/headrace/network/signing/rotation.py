"""How one key takes over from another: which signs what, where its copies lie, and when the old one may go.

There is no revocation: clients know a new key only when they are new. So while two keys of a purpose are
active, what they sign is published twice. Each *copy* is for the clients that were built at one time, signed
with the keys that were the newest then. The first copy ever has the usual names of objects; each later one
lies in a folder of its own, and stays there, because clients are built with its address. When the first has
gone, the oldest that is left is also found under the usual names, which are never empty.

    rings      the keys of each purpose that takes part: lists' and entries', say
    copies     what is published, oldest first; `newest_copy` is what new builds are given

Entries that servers hand out are for clients of all times, and each client throws away what is signed with
a key it does not know: `sole_key` is whose signature they may have. While there are two, they have none.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from headrace.base.errors import OperatorError
from headrace.network.model import NetworkKey
from headrace.network.signing.kinds import kind_of

__all__ = [
    "MOST_ACTIVE",
    "USUAL_OVERLAP",
    "Copy",
    "accepted_keys",
    "active_keys",
    "check_room",
    "copies",
    "folder_name",
    "may_retire_at",
    "newest_copy",
    "plain_key",
    "ring",
    "sole_key",
]

#: How long clients that were built with a key are served after the last of them was built.
USUAL_OVERLAP: Final = timedelta(days=180)
#: Keys of a purpose and name that are active at once.
MOST_ACTIVE: Final = 2

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_GROUPS, _GROUP = 3, 4


@dataclass(frozen=True, slots=True)
class Copy:
    """What is published for the clients of one time: where, and which key of each ring signs it."""

    folder: str  #: "": the objects have their usual names
    keys: tuple[NetworkKey, ...]


def ring(keys: Iterable[NetworkKey], purpose: str, name: str = "") -> tuple[NetworkKey, ...]:
    """Return all keys of a purpose and name, retired ones too, oldest first."""
    return _sorted(key for key in keys if key.purpose == purpose and key.name == name)


def active_keys(keys: Iterable[NetworkKey]) -> tuple[NetworkKey, ...]:
    """Return the keys that are not retired, oldest first."""
    return _sorted(key for key in keys if key.retired_at is None)


def accepted_keys(keys: Iterable[NetworkKey]) -> tuple[str, ...]:
    """Return the public texts that a new client is to accept, the one it should expect first."""
    return tuple(key.public for key in reversed(active_keys(keys)))


def plain_key(keys: Iterable[NetworkKey]) -> NetworkKey:
    """Return the key that signs objects under their usual names. Raises OperatorError when none is active."""
    return _insist(active_keys(keys))[0]


def sole_key(keys: Iterable[NetworkKey]) -> NetworkKey | None:
    """Return the only active key, None while there are two. Raises OperatorError when none is active."""
    active = _insist(active_keys(keys))
    return active[0] if len(active) == 1 else None


def copies(*rings: Sequence[NetworkKey]) -> tuple[Copy, ...]:
    """Return what is published of what these rings sign together, oldest first; the first one is plain.

    Give each ring with its retired keys: names of folders depend on them. Raises OperatorError when a ring
    has no active key.
    """
    for keys in rings:
        _insist(active_keys(keys))
    history = _history(rings)
    lasting = [keys for keys in history if all(key.retired_at is None for key in keys)]
    found = [Copy(_folder(keys, history), keys) for keys in lasting]
    return tuple(found) if found[0].folder == "" else (Copy("", lasting[0]), *found)


def newest_copy(*rings: Sequence[NetworkKey]) -> Copy:
    """Return the copy whose place and keys new builds are given. Raises OperatorError as `copies`."""
    newest = {active_keys(keys)[-1].key_id for keys in rings if active_keys(keys)}
    return next(copy for copy in reversed(copies(*rings)) if {key.key_id for key in copy.keys} == newest)


def folder_name(*key_ids: str) -> str:
    """Return the folder of a copy by its keys, in any order: random to look at, and always the same."""
    text = " ".join(("headrace copy", *sorted(key_ids)))
    number = int.from_bytes(hashlib.sha256(text.encode()).digest())
    letters = ""
    for _ in range(_GROUPS * _GROUP):
        number, index = divmod(number, len(_LETTERS))
        letters += _LETTERS[index]
    return "-".join(letters[place : place + _GROUP] for place in range(0, len(letters), _GROUP))


def may_retire_at(
    key: NetworkKey,
    keys: Iterable[NetworkKey],
    last_built: datetime | None,
    overlap: timedelta = USUAL_OVERLAP,
) -> datetime | None:
    """Return from when on a key may retire without leaving clients behind, None while it has no successor.

    `last_built` is when something was last built for users with it as the newest key, None if nothing is
    known to be since its successor came.
    """
    later = [other for other in active_keys(keys) if _age(other) > _age(key)]
    if not later:
        return None
    succeeded = later[0].created_at
    return max(succeeded, last_built or succeeded) + overlap


def check_room(purpose: str, name: str, keys: Iterable[NetworkKey]) -> None:
    """Insist that a new key of a purpose and name may be added to these. Raises OperatorError."""
    kind = kind_of(purpose)
    active = active_keys(ring(keys, purpose, name))
    most = MOST_ACTIVE if kind.may_overlap else 1
    if len(active) >= most:
        held = " and ".join(key.key_id for key in active)
        raise OperatorError(
            f"there can be no further key for {kind.title}, as {held} {'is' if most == 1 else 'are'} active: "
            f"retire {active[0].key_id} first"
        )


def _history(rings: Sequence[Sequence[NetworkKey]]) -> list[tuple[NetworkKey, ...]]:
    """Return which keys were the newest together, one after the other, each such set once."""
    moments = {key.created_at for keys in rings for key in keys}
    moments |= {key.retired_at for keys in rings for key in keys if key.retired_at is not None}
    found: list[tuple[NetworkKey, ...]] = []
    for moment in sorted(moments):
        then = tuple(key for keys in rings if (key := _newest(keys, moment)) is not None)
        if len(then) == len(rings) and then not in found:
            found.append(then)
    return found


def _newest(keys: Sequence[NetworkKey], moment: datetime) -> NetworkKey | None:
    """Return the key that builds had at a moment, None if there was none."""
    then = [
        key
        for key in keys
        if key.created_at <= moment and (key.retired_at is None or moment < key.retired_at)
    ]
    return max(then, key=_age, default=None)


def _folder(keys: tuple[NetworkKey, ...], history: list[tuple[NetworkKey, ...]]) -> str:
    return "" if keys == history[0] else folder_name(*(key.key_id for key in keys))


def _age(key: NetworkKey) -> tuple[datetime, str]:
    return key.created_at, key.key_id


def _sorted(keys: Iterable[NetworkKey]) -> tuple[NetworkKey, ...]:
    return tuple(sorted(keys, key=_age))


def _insist(active: tuple[NetworkKey, ...]) -> tuple[NetworkKey, ...]:
    if not active:
        raise OperatorError("a key that is needed is missing, or retired: make a new one")
    return active
