"""Downloading a list: through the tunnel when there is one, with its ETag, told in notices and counted."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from headrace.base.clock import Clock
from headrace.base.errors import DocumentError, NetworkError
from headrace.client.notices import Notices
from headrace.codec.go_duration import duration_text
from headrace.net.fetch import resume_download
from headrace.net.http import HttpClient
from headrace.store.client.store import ClientStore

__all__ = ["Downloads", "Fetched"]

#: Seconds for one attempt; what has arrived by then is kept for the next.
TIMEOUT: Final = 30.0
#: No list is larger, packed as it travels.
MAX_SIZE: Final = 64 * 1024 * 1024
#: Seconds between notices of progress.
PROGRESS_PERIOD: Final = 1.0
#: What statistics of downloads are filed under.
STATISTICS: Final = "remoteServerListStats"
_HOUR: Final = "%Y-%m-%dT%H:00:00Z"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A finished download; `took` is seconds, and an ETag that `changed` is yet to be kept."""

    url: str
    canonical_url: str
    etag: str
    changed: bool
    size: int = 0
    took: float = 0.0
    tunneled: bool = False


class Downloads:
    """Fetches what storage has. `tunneled` says whether there is a tunnel at the moment."""

    def __init__(
        self,
        client: HttpClient,
        store: ClientStore,
        notices: Notices,
        tunneled: Callable[[], bool],
        *,
        user_agent: str,
        show_urls: bool,
        clock: Clock,
    ) -> None:
        self._client = client
        self._store = store
        self._notices = notices
        self._tunneled = tunneled
        self._user_agent = user_agent
        self._show_urls = show_urls
        self._clock = clock
        self._was_tunneled = False  # at the last download

    async def close(self) -> None:
        """Close connections that are kept for the next download: they go where the first one went."""
        await self._client.close()

    async def get(self, url: str, canonical_url: str, destination: Path, *, skip_verify: bool) -> Fetched:
        """Fetch `url` unless it is what the store has seen under `canonical_url`.

        Raises NetworkError or DocumentError; what had arrived is kept beside `destination` for the next time.
        """
        loop = asyncio.get_running_loop()
        begun = loop.time()
        tunneled = self._tunneled()
        if tunneled != self._was_tunneled:
            await self.close()
        self._was_tunneled = tunneled
        known = self._store.etags.get(canonical_url)
        progress = _Progress(self._told(url), self._notices)
        try:
            download = await resume_download(
                self._client,
                url,
                destination,
                user_agent=self._user_agent,
                timeout=TIMEOUT,
                if_none_match=known,
                skip_verify=skip_verify,
                max_size=MAX_SIZE,
                progress=progress.report,
            )
        finally:
            progress.tell()
        took = loop.time() - begun
        if not download.modified and not known:  # else storage could keep a client that has nothing waiting
            raise NetworkError("storage says that nothing has changed, but there was nothing before")
        if not download.modified or (known and download.etag == known):
            destination.unlink(missing_ok=True)  # it was sent all the same
            return Fetched(url, canonical_url, known, changed=False)
        self._notices.emit("RemoteServerListResourceDownloaded", url=self._told(url))
        return Fetched(url, canonical_url, download.etag, True, download.bytes_received, took, tunneled)

    async def checked(self, fetched: Fetched, check: Awaitable[T]) -> T:
        """Wait for the signature of a changed download to be checked, and count it by the outcome.

        Raises DocumentError as `check` does.
        """
        try:
            result = await check
        except DocumentError:
            self._count(fetched, authenticated=False)
            raise
        self._count(fetched, authenticated=True)
        return result

    def _count(self, fetched: Fetched, *, authenticated: bool) -> None:
        """Keep a statistic, for the next report to a server (server lists §3.4): servers want texts only."""
        record = {
            "url": fetched.url,
            "etag": fetched.etag,
            "bytes": str(fetched.size),
            "duration": str(round(fetched.took * 1000)),
            "tunneled": str(int(fetched.tunneled)),
            "authenticated": str(int(authenticated)),
            "client_download_timestamp": datetime.fromtimestamp(self._clock.time(), UTC).strftime(_HOUR),
        }
        self._store.statistics.add(STATISTICS, json.dumps(record, separators=(",", ":")).encode())

    def keep(self, fetched: Fetched) -> None:
        """All of it is in the store: do not fetch the same again."""
        self._store.etags.set(fetched.canonical_url, fetched.etag)

    def _told(self, url: str) -> str:
        return url if self._show_urls else "[redacted]"


class _Progress:
    """Tells how many bytes have come, now and then."""

    def __init__(self, url: str, notices: Notices) -> None:
        self._url = url
        self._notices = notices
        self._loop = asyncio.get_running_loop()
        self._begun = self._told = self._loop.time()
        self._size = 0

    def report(self, size: int, total: int | None) -> None:
        """Take note of `size` bytes of `total`."""
        self._size = size
        if self._loop.time() - self._told >= PROGRESS_PERIOD:
            self.tell()

    def tell(self) -> None:
        self._told = self._loop.time()
        self._notices.emit(
            "RemoteServerListResourceDownloadedBytes",
            url=self._url,
            bytes=self._size,
            duration=duration_text(self._told - self._begun),
        )
