"""Tells servers what has been going on: bytes, downloads, failed tunnels (client spec §1.13, §7).

every five to ten minutes, if there is anything to say, and last words at the end

What a server did not take is said again, if need be by the next run; what it took is not.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import msgspec

from headrace.base.clock import Clock
from headrace.base.errors import HeadraceError
from headrace.base.rng import Rng
from headrace.client import api
from headrace.client.downloads import STATISTICS as DOWNLOADS
from headrace.client.failed_tunnels import STATISTICS as FAILED_TUNNELS
from headrace.client.notices import Notices
from headrace.client.tag_check import TagCheck
from headrace.client.tunnel import Tunnel
from headrace.client.unreported_bytes import UnreportedBytes
from headrace.store.client.store import ClientStore

__all__ = ["LAST_WORDS", "StatusReporter"]

#: Seconds between reports, drawn anew each time; and to the first, when something is waiting.
PERIOD, FIRST = (300.0, 600.0), (5.0, 10.0)
REQUEST_TIMEOUT: Final = 10.0
#: Seconds that a client which is told to stop may spend on its last words.
LAST_WORDS: Final = 1.0
#: Most bytes of statistics in a report.
MAX_STATISTICS: Final = 64 * 1024
#: Where statistics of each kind stand in a report.
_KINDS: Final = {DOWNLOADS: "remote_server_list_stats", FAILED_TUNNELS: "failed_tunnel_stats"}

_Fields = dict[str, object]
_decode = msgspec.json.Decoder(_Fields).decode


@dataclass(frozen=True, slots=True)
class _Report:
    host_bytes: dict[str, int]
    statistics: Mapping[str, Mapping[bytes, _Fields]]  #: by kind and record
    tags: list[str]

    @property
    def empty(self) -> bool:
        return not (self.host_bytes or any(self.statistics.values()) or self.tags)

    def members(self) -> dict[str, object]:
        """Return what is said beside the bytes."""
        members: dict[str, object] = {
            _KINDS[kind]: list(records.values()) for kind, records in self.statistics.items() if records
        }
        return {**members, "check_server_entry_tags": self.tags} if self.tags else members

    def named_tags(self) -> list[str]:
        """Return the tags of the servers that failed tunnels were to."""
        records = self.statistics.get(FAILED_TUNNELS, {}).values()
        return [tag for record in records if isinstance(tag := record.get("server_entry_tag"), str)]


class StatusReporter:
    """Reports for one run of a client, over one tunnel after the other."""

    def __init__(
        self,
        identity: api.Identity,
        rng: Rng,
        notices: Notices,
        clock: Clock,
        store: ClientStore | None = None,
    ) -> None:
        self._identity = identity
        self._rng = rng
        self._store = store
        self._bytes = UnreportedBytes(store, clock)
        self._check = TagCheck(store, rng, notices, clock) if store is not None else None
        self._one = asyncio.Lock()  # report at a time

    def moved(self, sent: int, received: int) -> None:
        """Count what has passed."""
        self._bytes.add(sent + received)

    async def run(
        self,
        tunnel: Tunnel,
        failed: Callable[[], None] = lambda: None,
        *,
        timeout: float = REQUEST_TIMEOUT,
    ) -> None:
        """Report over a tunnel until it ends. `failed` hears of each report without an answer."""
        try:
            least, most = FIRST if self._something_waits else PERIOD
            while not tunnel.ended.done():
                seconds = self._rng.between(round(least * 1000), round(most * 1000)) / 1000
                await asyncio.wait((tunnel.ended,), timeout=seconds)
                if not tunnel.ended.done() and not await self.report(tunnel, timeout):
                    failed()
                least, most = PERIOD
        finally:
            self._bytes.save()

    async def last_words(self, tunnel: Tunnel) -> None:
        """Say what has not been said, in the moment that is left; what is not taken is kept."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                await self.report(tunnel, LAST_WORDS, check=False)
        self._bytes.save()

    async def report(self, tunnel: Tunnel, timeout: float = REQUEST_TIMEOUT, *, check: bool = True) -> bool:
        """Send a report if there is something to say; return False if no answer came.

        Without `check` no tags of servers are asked about: that takes longer.
        """
        async with self._one:
            tags = await self._check.choose() if check and self._check is not None else []
            report = _Report(self._bytes.snapshot(), self._take(), tags)
            if report.empty:
                return True
            payload = api.status_payload(
                self._identity, tunnel.dial_parameters, self._rng, report.host_bytes, report.members()
            )
            reply: bytes | None = None
            try:
                reply = await tunnel.request(b"psiphon-status", payload, timeout)
            except HeadraceError:
                return False
            finally:
                self._settle(report, taken=reply is not None)
            if reply is not None and self._check is not None:
                await self._check.conclude(report.tags, report.named_tags(), api.invalid_tags(reply))
            return True

    @property
    def _something_waits(self) -> bool:
        waiting = self._store is not None and self._store.statistics.waiting()
        return waiting or (self._check is not None and self._check.due)

    def _take(self) -> dict[str, dict[bytes, _Fields]]:
        taken: dict[str, dict[bytes, _Fields]] = {}
        room = MAX_STATISTICS
        if self._store is not None:
            for kind in _KINDS:
                records = self._store.statistics.take(kind, room)
                room -= sum(map(len, records))
                taken[kind] = {record: fields for record in records if (fields := _read(record)) is not None}
                self._store.statistics.confirm(kind, set(records) - set(taken[kind]))
        return taken

    def _settle(self, report: _Report, *, taken: bool) -> None:
        """Forget what was taken, keep what was not."""
        if taken:
            self._bytes.confirm(report.host_bytes)
        if self._store is not None:
            done = self._store.statistics.confirm if taken else self._store.statistics.put_back
            for kind, records in report.statistics.items():
                done(kind, records)


def _read(record: bytes) -> _Fields | None:
    """Return a record's fields; None if the disk has spoilt it: one such would have every report refused."""
    try:
        return _decode(record)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
