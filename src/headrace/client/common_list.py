"""The common remote server list: one signed list of servers for everybody (server lists §3.4)."""

from pathlib import Path
from typing import Final

from headrace.base.rng import Rng
from headrace.client.downloads import Downloads
from headrace.client.list_import import Importer, verified
from headrace.crypto.rsa_signing import PackageVerifyingKey
from headrace.documents.transfer_urls import TransferURLs

__all__ = ["CommonList"]

_SOURCE: Final = "REMOTE"


class CommonList:
    """Fetches the list to `file`, and from there puts it into the store."""

    def __init__(
        self,
        urls: TransferURLs,
        key: PackageVerifyingKey,
        file: Path,
        downloads: Downloads,
        importer: Importer,
        rng: Rng,
    ) -> None:
        self._urls = urls
        self._key = key
        self._file = file
        self._downloads = downloads
        self._importer = importer
        self._rng = rng

    async def fetch(self, attempt: int) -> None:
        """Make one attempt. Raises NetworkError, DocumentError or OperatorError (the disk)."""
        try:
            await self._fetch(attempt)
        finally:
            await self._downloads.close()

    async def _fetch(self, attempt: int) -> None:
        source = self._urls.select(attempt, self._rng)
        fetched = await self._downloads.get(
            source.url, self._urls.canonical_url, self._file, skip_verify=source.skip_verify
        )
        if not fetched.changed:
            return
        try:
            with self._file.open("rb") as file:
                package = await self._downloads.checked(fetched, verified(file, self._key))
                await self._importer.import_definitive(package.lines(), _SOURCE)
        finally:
            self._file.unlink(missing_ok=True)
        self._downloads.keep(fetched)
