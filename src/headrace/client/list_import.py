"""Putting lists of server entries into the store, a slice at a time, so that nobody's traffic waits."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import BinaryIO, Final

from headrace.base.clock import Clock
from headrace.base.errors import DocumentError, OperatorError
from headrace.client.notices import Notices
from headrace.crypto.rsa_signing import PackageVerifyingKey
from headrace.crypto.signing import VerifyingKey
from headrace.documents.entry_fields import decode_fields, entry_tag, validate_fields
from headrace.documents.entry_signature import verify_entry
from headrace.documents.server_entry import ServerEntry
from headrace.documents.server_list import MAX_LINE, stream_list
from headrace.documents.signed_package import PackageReader, open_package
from headrace.store.client.store import ClientStore

__all__ = ["Importer", "verified"]


_DISCOVERY: Final = "DISCOVERY"
_HOUR: Final = "%Y-%m-%dT%H:00:00Z"


class Importer:
    """Fills a store. `arrived` hears the addresses of servers that were not known before.

    With a `key`, entries that a server tells of must be signed with it if they have a signature, and one that
    has none does not replace one that has.
    """

    def __init__(
        self,
        store: ClientStore,
        notices: Notices,
        arrived: Callable[[list[str]], None],
        clock: Clock,
        key: VerifyingKey | None = None,
    ) -> None:
        self._store = store
        self._key = key
        self._notices = notices
        self._arrived = arrived
        self._clock = clock

    async def import_embedded(self, lines: Iterable[str]) -> None:
        """Import the list that came with the program; what is stored already stays unless it is older.

        Raises DocumentError at a line that does not decode; what came before it is kept. Raises OperatorError
        if the disk does not take it all.
        """
        entries = stream_list(lines, "EMBEDDED", self._now(_HOUR))
        await self._import(entries, "EMBEDDED", replace=False)

    async def import_definitive(self, lines: Iterable[str], source: str) -> None:
        """Import a list whose signature was found good: it replaces what is stored, even by an older version.

        Source: server lists §1.8. Raises as `import_embedded` does.
        """
        await self._import(stream_list(lines, source, self._now("%Y-%m-%dT%H:%M:%SZ")), source, replace=True)

    async def import_discovered(
        self, lines: Iterable[str], server_time: float | None = None, used: ServerEntry | None = None
    ) -> None:
        """Import the entries in a server's answer to our handshake: what it says replaces what is stored.

        They have the hour by the server's clock, in seconds since 1970; a better copy of the entry that was
        `used` to reach it keeps where and when that came from. One that cannot be read is skipped.
        Raises OperatorError if the disk does not take them.
        """
        seconds = self._clock.time() if server_time is None else server_time
        try:
            timestamp = datetime.fromtimestamp(seconds, UTC).strftime(_HOUR)
        except (ValueError, OverflowError, OSError):
            timestamp = self._now(_HOUR)
        await self._import(self._discovered(lines, timestamp, used), _DISCOVERY, replace=True)

    def _discovered(
        self, lines: Iterable[str], timestamp: str, used: ServerEntry | None
    ) -> Iterator[dict[str, object]]:
        for line in lines:
            try:
                if len(line) > MAX_LINE:
                    continue
                fields = decode_fields(line, _DISCOVERY, timestamp)
                if used is not None and _is_asked_for(used) and entry_tag(fields) == used.effective_tag:
                    if not fields.get("signature"):  # no better than ours, which a list may have mended
                        continue
                    fields |= {"localSource": used.local_source, "localTimestamp": used.local_timestamp}
                validate_fields(fields)
                if self._key is not None and not self._is_admitted(fields, self._key):
                    continue
            except DocumentError:
                continue
            yield fields

    def _is_admitted(self, fields: dict[str, object], key: VerifyingKey) -> bool:
        """Say whether an entry takes no signed one's place. Raises DocumentError if it is a forgery."""
        if fields.get("signature"):
            verify_entry(fields, key)
            return True
        stored = self._store.entries.get(str(fields["ipAddress"]))
        return stored is None or not stored.get("signature")

    async def _import(self, entries: Iterable[dict[str, object]], source: str, *, replace: bool) -> None:
        new: list[str] = []
        written = dropped = 0
        watched = self._watched(entries, new)
        try:
            for progress in self._store.entries.import_entries(watched, replace=replace):
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


def _is_asked_for(used: ServerEntry) -> bool:
    """Whether the handshake asks for a better copy of the entry that was used (server lists §1.7)."""
    return bool(used.local_source) and not (used.signature and used.provider_id)


async def verified(file: BinaryIO, key: PackageVerifyingKey) -> PackageReader:
    """Return a reader of the signed package in `file`, once its signature has been found good.

    Raises DocumentError.
    """
    return await asyncio.to_thread(open_package, file, key)
