"""Putting lists of server entries into the store, a slice at a time, so that nobody's traffic waits."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import BinaryIO

from headrace.base.clock import Clock
from headrace.base.errors import OperatorError
from headrace.client.notices import Notices
from headrace.crypto.rsa_signing import PackageVerifyingKey
from headrace.documents.server_list import stream_list
from headrace.documents.signed_package import PackageReader, open_package
from headrace.store.client.store import ClientStore

__all__ = ["Importer", "verified"]


class Importer:
    """Fills a store. `arrived` hears the addresses of servers that were not known before."""

    def __init__(
        self, store: ClientStore, notices: Notices, arrived: Callable[[list[str]], None], clock: Clock
    ) -> None:
        self._store = store
        self._notices = notices
        self._arrived = arrived
        self._clock = clock

    async def import_embedded(self, lines: Iterable[str]) -> None:
        """Import the list that came with the program; what is stored already stays unless it is older.

        Raises DocumentError at a line that does not decode; what came before it is kept. Raises OperatorError
        if the disk does not take it all.
        """
        await self._import(lines, "EMBEDDED", self._now("%Y-%m-%dT%H:00:00Z"), replace=False)

    async def import_definitive(self, lines: Iterable[str], source: str) -> None:
        """Import a list whose signature was found good: it replaces what is stored, even by an older version.

        Source: server lists §1.8. Raises as `import_embedded` does.
        """
        await self._import(lines, source, self._now("%Y-%m-%dT%H:%M:%SZ"), replace=True)

    async def _import(self, lines: Iterable[str], source: str, timestamp: str, *, replace: bool) -> None:
        new: list[str] = []
        written = dropped = 0
        entries = self._watched(stream_list(lines, source, timestamp), new)
        try:
            for progress in self._store.entries.import_entries(entries, replace=replace):
                written, dropped = progress.written, progress.dropped
                await asyncio.sleep(0)
        finally:
            if written:
                self._notices.info(f"imported {written} server entries from {source}, {len(new)} of them new")
                self._arrived(new)
        if dropped:
            raise OperatorError(f"{dropped} server entries could not be stored: make room on the disk")

    def _watched(self, entries: Iterable[dict[str, object]], new: list[str]) -> Iterator[dict[str, object]]:
        """Pass entries on, and note the addresses that the store does not know yet."""
        for fields in entries:
            address = str(fields["ipAddress"])
            if not self._store.entries.knows(address):
                new.append(address)
            yield fields

    def _now(self, form: str) -> str:
        return datetime.fromtimestamp(self._clock.time(), UTC).strftime(form)


async def verified(file: BinaryIO, key: PackageVerifyingKey) -> PackageReader:
    """Return a reader of the signed package in `file`, once its signature has been found good.

    Raises DocumentError.
    """
    return await asyncio.to_thread(open_package, file, key)
