"""The journal on disk, so that there is an answer after the client has ended, however it did."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from headrace.base.clock import Clock
from headrace.base.errors import DocumentError
from headrace.establishment.journal import Journal, Record

__all__ = ["JournalFile"]

#: Seconds between two looks at whether there is something new to write.
PERIOD: Final = 2.0
_MAX_SIZE = 8 << 20  # bytes


class JournalFile:
    """The file of one client, in the directory of its data; `name` tells several in one directory apart."""

    def __init__(self, directory: Path, name: str = "establishment") -> None:
        self.path = directory / f"{name}.json"

    def written(self) -> float:
        """Return when it was written last, in seconds since 1970; 0 if there is none."""
        try:
            return self.path.stat().st_mtime
        except OSError:
            return 0.0

    def write(self, record: Record) -> None:
        """Replace what is there; a kill at any moment leaves one or the other. Raises OSError."""
        draft = self.path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "wb") as file:
            file.write(record.to_json())
        os.replace(draft, self.path)

    def read(self) -> Record | None:
        """Return what was written last, None if nothing was. Raises OSError or DocumentError."""
        try:
            with open(self.path, "rb") as file:
                data = file.read(_MAX_SIZE)
        except FileNotFoundError:
            return None
        try:
            return Record.from_json(data)
        except DocumentError as error:
            raise DocumentError(f"{self.path}: {error}") from error

    @contextlib.asynccontextmanager
    async def following(self, journal: Journal, clock: Clock) -> AsyncIterator[None]:
        """Write what is new in the journal now and then during the block, and at its end.

        What the disk does not take is left out: a client does not end for that.
        """
        written = journal.revision

        def save() -> None:
            nonlocal written
            record = journal.record(clock.monotonic())
            if record is not None and journal.revision != written:
                written = journal.revision
                with contextlib.suppress(OSError):
                    self.write(record)

        async def follow() -> None:
            while True:
                await asyncio.sleep(PERIOD)
                save()

        task = asyncio.create_task(follow())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            save()
