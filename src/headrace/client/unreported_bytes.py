"""Bytes that have passed and that no server has been told of yet, kept over the end of a run.

They are counted by kind of destination; all there is of that today is "(OTHER)", which says nothing.
"""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Final

from headrace.base.clock import Clock
from headrace.store.client.store import ClientStore

__all__ = ["OTHER", "UnreportedBytes"]

OTHER: Final = "(OTHER)"
#: Seconds between writings, at least: what a kill may cost.
SAVE_PERIOD: Final = 60.0
#: Kinds that are kept, and the most bytes of one: beyond a petabyte something else is wrong.
_MOST_KINDS, _MOST_BYTES = 1000, 10**15
_KEY: Final = "unreportedBytes"


class UnreportedBytes:
    """Counts, and remembers in the `store` if there is one."""

    def __init__(self, store: ClientStore | None, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._counts = _read(store.values.get(_KEY)) if store is not None else Counter[str]()
        self._saved = (dict(self._counts), clock.monotonic())

    def add(self, count: int, kind: str = OTHER) -> None:
        """Count bytes that passed."""
        self._counts[kind] += count
        if self._clock.monotonic() - self._saved[1] >= SAVE_PERIOD:
            self.save()

    def snapshot(self) -> dict[str, int]:
        """Return all that is to be told."""
        return dict(+self._counts)

    def confirm(self, told: Mapping[str, int]) -> None:
        """A server was told: forget that much."""
        self._counts.subtract(told)
        self._counts = +self._counts
        self.save()

    def save(self) -> None:
        """Write down what is not written yet."""
        counts = self.snapshot()
        if self._store is not None and counts != self._saved[0]:
            self._store.values.set(_KEY, json.dumps(counts))
        self._saved = (counts, self._clock.monotonic())


def _read(text: str) -> Counter[str]:
    """Return what was written; what makes no sense counts for nothing."""
    try:
        members = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return Counter()
    if not isinstance(members, dict) or len(members) > _MOST_KINDS:
        return Counter()
    return Counter(
        {
            kind: count
            for kind, count in members.items()
            if isinstance(count, int) and not isinstance(count, bool) and 0 < count <= _MOST_BYTES
        }
    )
