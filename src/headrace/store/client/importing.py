"""Importing thousands of server entries without holding up the event loop: batches of some milliseconds."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from headrace.base.clock import Clock
from headrace.base.errors import DocumentError
from headrace.documents.entry_fields import Fields
from headrace.store.client.entry_row import EntryRow, make_row

__all__ = ["SLICE", "Progress", "import_batches"]

SLICE = 0.005
"""Seconds that a batch should take, gathering and writing it."""

_LEAST = 10  # entries in a batch, however slow the machine


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is: entries looked at, written, and dropped because the store could not be written.

    Entries that are neither were invalid, or the store had them.
    """

    seen: int = 0
    written: int = 0
    dropped: int = 0


def import_batches(
    entries: Iterable[Fields],
    write: Callable[[list[EntryRow]], int | None],
    clock: Clock,
    batch: int,
) -> Iterator[Progress]:
    """Hand valid entries to `write`, at most `batch` at a time, and yield after each.

    `write` returns how many it wrote, None when it could not. An exception out of `entries` passes when what
    came before it was written.
    """
    progress = Progress()
    gathering = _Gathering(entries)
    limit = min(_LEAST, batch)
    while not gathering.ended:
        began = clock.monotonic()
        rows: list[EntryRow] = []
        seen = 0
        while seen < limit and (fields := gathering.next_entry()) is not None:
            seen += 1
            try:
                rows.append(make_row(fields))
            except DocumentError:
                continue
        written = write(rows) if rows else 0
        progress = Progress(
            progress.seen + seen,
            progress.written + (written or 0),
            progress.dropped + (len(rows) if written is None else 0),
        )
        took = clock.monotonic() - began
        limit = min(batch, max(_LEAST, int(seen * SLICE / took)) if took > 0 else batch)
        yield progress
    if gathering.error:
        raise gathering.error


class _Gathering:
    """An iterator whose end, good or bad, is kept for later."""

    def __init__(self, entries: Iterable[Fields]) -> None:
        self._entries = iter(entries)
        self.ended = False
        self.error: Exception | None = None

    def next_entry(self) -> Fields | None:
        try:
            return next(self._entries)
        except StopIteration:
            self.ended = True
        except Exception as error:
            self.ended, self.error = True, error
        return None
