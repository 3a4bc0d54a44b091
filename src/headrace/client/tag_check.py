"""Asking, every few months, whether servers that are known still exist: their tags (server lists §1.8).

A random choice of those old enough to be removed is sent with a status report, as many as fit. When many of
them are gone by the server's answer, the next report asks about others.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from headrace.base.clock import Clock
from headrace.base.rng import Rng
from headrace.client.notices import Notices
from headrace.documents.entry_fields import entry_tag
from headrace.store.client.store import ClientStore

__all__ = ["MINIMUM_AGE", "PERIOD", "TagCheck"]

DAY: Final = 86_400.0
#: Seconds from one check to the next, and the age in seconds below which a server is not removed.
PERIOD, MINIMUM_AGE = 90 * DAY, 7 * DAY
#: Most bytes of tags to send, and what each takes beyond its length.
MAX_BYTES, OVERHEAD = 64 * 1024, 3
#: The share of tags that were gone from which others are asked about at once.
REPEAT_RATIO: Final = 0.1
#: Seconds until tags are looked for again when there were none old enough.
NO_TAGS: Final = DAY
#: Entries looked at, or removed, before others have their turn.
SLICE: Final = 10
#: Where the store keeps when the last check ended, in seconds since 1970.
_LAST: Final = "serverEntryTagCheckEnd"


class TagCheck:
    """Which tags to send, and what becomes of the answer."""

    def __init__(self, store: ClientStore, rng: Rng, notices: Notices, clock: Clock) -> None:
        self._store = store
        self._rng = rng
        self._notices = notices
        self._clock = clock
        self._not_before = -NO_TAGS  # on the clock of intervals

    @property
    def due(self) -> bool:
        """Whether the next report should ask."""
        if self._clock.monotonic() < self._not_before or not self._store.entries.count():
            return False
        since = self._clock.time() - self._last
        return not 0 <= since < PERIOD  # a date to come was written when the clock was wrong

    async def choose(self) -> list[str]:
        """Return tags to ask about; none when no check is due."""
        if not self.due:
            return []
        tags: list[str] = []
        room, entries = MAX_BYTES, self._store.entries
        for number, address in enumerate(entries.addresses(self._rng)):
            if number % SLICE == SLICE - 1:
                await asyncio.sleep(0)
            fields = entries.get(address)
            if fields is None or self._is_young(fields):
                continue
            tag = entry_tag(fields)
            room -= len(tag) + OVERHEAD
            if room < 0:
                break
            tags.append(tag)
        if not tags:
            self._not_before = self._clock.monotonic() + NO_TAGS
        return tags

    async def conclude(self, asked: Iterable[str], others: Iterable[str], invalid: Iterable[str]) -> None:
        """Remove the servers behind `invalid` tags: of those `asked` about, or of `others` that were named.

        A server cannot take away from us what we have not told it of.
        """
        checked, named = set(asked), set(others)
        gone = 0
        for number, tag in enumerate(dict.fromkeys(invalid)):
            if number % SLICE == SLICE - 1:
                await asyncio.sleep(0)
            if tag not in checked and tag not in named:
                continue
            if self._store.entries.prune(tag, MINIMUM_AGE):
                self._notices.emit("PruneServerEntry", serverEntryTag=tag)
                gone += tag in checked
        if checked and not (gone and gone >= REPEAT_RATIO * len(checked)):
            self._store.values.set(_LAST, str(int(self._clock.time())))

    @property
    def _last(self) -> float:
        text = self._store.values.get(_LAST)
        return float(text) if text.isascii() and text.isdigit() and len(text) <= 15 else -PERIOD

    def _is_young(self, fields: dict[str, object]) -> bool:
        try:
            stored = datetime.fromisoformat(str(fields.get("localTimestamp"))).timestamp()
        except (ValueError, OverflowError):
            return True
        return stored + MINIMUM_AGE > self._clock.time()
