"""Downloads that go on where they were cut (spec "server lists" §3.2).

A download makes one request. Whatever ends it early leaves what came, and the next call asks for the rest:
the caller decides when that is, and checks the signature of what is complete in the end.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from headrace.base.errors import DocumentError, HeadraceError, NetworkError, OperatorError
from headrace.net.http import HttpClient
from headrace.net.partial_file import PartialFile, usable_etag

if TYPE_CHECKING:
    import httpx

__all__ = ["MAX_DOWNLOAD", "Download", "DownloadFailed", "resume_download"]

#: Bytes of one file, unless the caller says otherwise.
MAX_DOWNLOAD: Final = 128 * 1024 * 1024
_OK, _PARTIAL, _NOT_MODIFIED, _CHANGED, _PAST_THE_END = 200, 206, 304, 412, 416
_CONTENT_RANGE: Final = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(?:\d{1,15}|\*)")

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class Download:
    """A download that came to its end: bytes that this call received, and the response's ETag, maybe empty.

    After "not modified" there is no new file, and the ETag is the one that was asked about.
    """

    bytes_received: int
    etag: str
    modified: bool = True


class DownloadFailed(NetworkError):
    """It did not come to its end; after `bytes_received` more bytes, in this call. To be tried again."""

    def __init__(self, message: str, bytes_received: int = 0) -> None:
        super().__init__(message)
        self.bytes_received = bytes_received


async def resume_download(
    client: HttpClient,
    url: str,
    destination: Path,
    *,
    user_agent: str,
    timeout: float,
    if_none_match: str = "",
    skip_verify: bool = False,
    request_headers: Mapping[str, str] | None = None,
    max_size: int = MAX_DOWNLOAD,
    progress: Progress | None = None,
    as_deployed: bool = False,
) -> Download:
    """Fetch `url` into `destination`, from where an earlier call left off, within `timeout` seconds.

    `progress` is told how many bytes there are of how many, None where that is not known. `if_none_match` is
    the ETag of what the caller has. `as_deployed` keeps two habits of the deployed client: the body of a 416
    and of a 200 to a request for the rest are appended, though neither is the rest.

    Raises DownloadFailed, to be tried again; DocumentError if the file is larger than `max_size` or the URL
    cannot be used; OperatorError if the disk does not take it. No text names the URL or an address.
    """
    with PartialFile(destination) as part:
        before = part.size
        headers = {"User-Agent": user_agent}
        if before > max_size:
            part.discard()
            raise DocumentError(_too_large(max_size))
        if before:
            try:
                headers["If-Match"] = part.etag()
            except DocumentError as error:
                part.discard()
                raise DownloadFailed(str(error)) from error
        elif usable_etag(if_none_match):
            headers["If-None-Match"] = if_none_match
        headers["Range"] = f"bytes={before}-"
        transfer = _Transfer(part, headers.get("If-Match", ""), max_size, progress, as_deployed)
        try:
            async with (
                asyncio.timeout(timeout),
                client.request(
                    "GET", url, headers, extra_headers=request_headers, verify=not skip_verify
                ) as response,
            ):
                await transfer.run(response)
        except TimeoutError as error:
            raise DownloadFailed(f"not complete within {timeout:g} s", transfer.received) from error
        except (DocumentError, OperatorError, DownloadFailed):
            raise
        except HeadraceError as error:
            raise DownloadFailed(str(error), transfer.received) from error
        return transfer.finish()


class _Transfer:
    """What becomes of one response."""

    def __init__(
        self,
        part: PartialFile,
        known_etag: str,
        max_size: int,
        progress: Progress | None,
        as_deployed: bool,
    ) -> None:
        self.received = 0
        self._part = part
        self._known_etag = known_etag
        self._max_size = max_size
        self._progress = progress
        self._as_deployed = as_deployed
        self._etag = ""
        self._modified = True

    async def run(self, response: "httpx.Response") -> None:
        part, status = self._part, response.status_code
        self._etag = response.headers.get("etag", "")
        if status == _CHANGED:
            part.discard()
            raise DownloadFailed("the file has changed since its first part was fetched")
        if status == _NOT_MODIFIED:
            self._modified = False
            return
        if status not in (_OK, _PARTIAL, _PAST_THE_END):
            raise DownloadFailed(f"the server answered with status {status}")
        if status == _OK and part.size and not self._as_deployed:
            part.truncate()  # it is everything from the beginning
        if status in (_PARTIAL, _PAST_THE_END) and not self._as_deployed:
            self._etag = self._etag or self._known_etag  # a match, else it would be 412; many leave it out
        part.set_etag(self._etag if usable_etag(self._etag) else "")
        if status != _PAST_THE_END or self._as_deployed:
            await self._take(response)

    async def _take(self, response: "httpx.Response") -> None:
        length = _length(response)
        total = None if length is None else self._part.size + length
        self._insist(total or 0)
        async for piece in response.aiter_raw():
            self._insist(self._part.size + len(piece))
            self._part.append(piece)
            self.received += len(piece)
            if self._progress is not None:
                self._progress(self._part.size, total)
        if length is not None and self.received < length:
            raise DownloadFailed("the answer was cut short", self.received)

    def _insist(self, size: int) -> None:
        if size > self._max_size:
            self._part.discard()  # or it would be too large again next time
            raise DocumentError(_too_large(self._max_size))

    def finish(self) -> Download:
        if self._modified:
            self._part.complete()
        else:
            self._part.discard()
        return Download(self.received, self._etag, self._modified)


def _length(response: "httpx.Response") -> int | None:
    """Return how long a body says it is: where the connection's end is its end, the range may tell."""
    if "transfer-encoding" in response.headers:
        return None  # which says by itself where it ends
    text = response.headers.get("content-length", "")
    if text.isascii() and text.isdigit():
        return int(text[:18])
    match = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
    return int(match[2]) - int(match[1]) + 1 if match and response.status_code == _PARTIAL else None


def _too_large(max_size: int) -> str:
    return f"the file is larger than the {max_size} bytes that it may have"
