"""Obfuscated server lists: a registry of all, and those that our keys open (server lists §3.5, 4.6–4.7).

The registry says for each list which keys combine into its key. Only lists that can be opened are fetched.
All are looked at every time, however old the registry is: it is our keys that may have become more.
"""

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from headrace.base.errors import DocumentError, HeadraceError
from headrace.base.rng import Rng
from headrace.client.data_directory import DataDirectory
from headrace.client.downloads import Downloads, Fetched
from headrace.client.list_import import Importer, verified
from headrace.crypto.rsa_signing import PackageVerifyingKey
from headrace.documents.osl.registry import FileSpec, open_osl, read_registry
from headrace.documents.osl.urls import REGISTRY_NAME, file_name, file_url, registry_url
from headrace.documents.signed_package import PackageReader
from headrace.documents.transfer_urls import TransferURL, TransferURLs
from headrace.store.client.store import ClientStore

__all__ = ["ObfuscatedLists"]

_SOURCE: Final = "OBFUSCATED"
_CACHED: Final = f"{REGISTRY_NAME}.cached"


class ObfuscatedLists:
    """Fetches the registry and the lists, and puts their servers into the store.

    Of several things that go wrong in an attempt, `fetch` raises one; `warn` hears the others.
    """

    def __init__(
        self,
        roots: TransferURLs,
        key: PackageVerifyingKey,
        directory: DataDirectory,
        store: ClientStore,
        downloads: Downloads,
        importer: Importer,
        warn: Callable[[HeadraceError], None],
        rng: Rng,
    ) -> None:
        self._roots = roots
        self._key = key
        self._directory = directory
        self._store = store
        self._downloads = downloads
        self._importer = importer
        self._warn = warn
        self._rng = rng

    async def fetch(self, attempt: int) -> None:
        """Make one attempt at everything. Raises NetworkError, DocumentError or OperatorError (the disk)."""
        try:
            await self._fetch(attempt)
        finally:
            await self._downloads.close()

    async def _fetch(self, attempt: int) -> None:
        root = self._roots.select(attempt, self._rng)
        failures: list[HeadraceError] = []
        new: Fetched | None = None
        try:
            registry = await self._fetch_registry(root)
            new = registry if registry.changed else None
        except HeadraceError as error:
            failures.append(error)
        path = self._directory.obfuscated(REGISTRY_NAME if new else _CACHED)
        if path.exists():
            failures += await self._fetch_openable(path, root, new)
        for failure in failures[1:]:
            self._warn(failure)
        if failures:
            raise failures[0]

    async def _fetch_openable(
        self, path: Path, root: TransferURL, new: Fetched | None
    ) -> list[HeadraceError]:
        """Fetch the lists of the registry in `path` that can be opened; return what went wrong."""
        known = self._store.sloks.all()
        try:
            with path.open("rb") as file:
                check = verified(file, self._key)
                package = await (check if new is None else self._downloads.checked(new, check))
                specs = await asyncio.to_thread(_openable, package, known)
        except DocumentError as error:
            path.unlink(missing_ok=True)  # else it would be in the way of a good one
            return [error]
        failures: list[HeadraceError] = []
        for spec in specs:
            try:
                await self._fetch_list(spec, root, known)
            except HeadraceError as error:
                failures.append(error)
        if new is not None:
            path.replace(self._directory.obfuscated(_CACHED))
            self._downloads.keep(new)
        return failures

    async def _fetch_registry(self, root: TransferURL) -> Fetched:
        canonical = registry_url(self._roots.canonical_url)
        if not self._directory.obfuscated(_CACHED).exists():
            self._store.etags.delete(canonical)
        return await self._downloads.get(
            registry_url(root.url),
            canonical,
            self._directory.obfuscated(REGISTRY_NAME),
            skip_verify=root.skip_verify,
        )

    async def _fetch_list(self, spec: FileSpec, root: TransferURL, known: dict[bytes, bytes]) -> None:
        """Fetch one list that can be opened, unless what storage has is known already."""
        canonical = file_url(self._roots.canonical_url, spec.id)
        if self._store.etags.get(canonical) == spec.etag:  # storage's ETag is the file's MD5 sum
            return
        file = self._directory.obfuscated(file_name(spec.id))
        fetched = await self._downloads.get(
            file_url(root.url, spec.id), canonical, file, skip_verify=root.skip_verify
        )
        if not fetched.changed:
            return
        try:
            file_key = spec.file_key(known.get)
            contents = file.read_bytes()
            check = asyncio.to_thread(open_osl, contents, file_key, self._key)
            lines = await self._downloads.checked(fetched, check)
            await self._importer.import_definitive(lines, _SOURCE)
        finally:
            file.unlink(missing_ok=True)
        if not spec.md5_sum or spec.md5_sum == hashlib.md5(contents, usedforsecurity=False).digest():
            self._downloads.keep(fetched)  # else it may be an old edition, under the ETag of the new one


def _openable(registry: PackageReader, known: dict[bytes, bytes]) -> list[FileSpec]:
    """Return what a registry says of the lists that the `known` keys open. Raises DocumentError."""
    return [spec for spec in read_registry(registry.chunks()) if spec.unlockable(known.get)]
