"""How files get onto server hosts, and the stand-in for the way there: a directory for each host.

What is the same for many hosts, as the psinet file is, is written once, into a pool, and linked to each host
from there: thousands of hosts cost no more room or writing than one.
"""

import contextlib
import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from headrace.network.publish.stores.stored import check_name
from headrace.network.publish.stores.tree import Tree

__all__ = ["HostTransport", "LocalHosts"]

_POOL: Final = ".pool"
_POOLED: Final = 64 * 1024  # bytes; smaller files are hardly the same for many hosts
_MOST_KNOWN: Final = 64  # files of the pool whose digests are kept in mind

_Identity = tuple[int, int, int, int]


class HostTransport(Protocol):
    """Files by host and file name; both are one part of a name, else ValueError. All raise StoreUnavailable.

    Calls block. Several threads may make them at the same time.
    """

    def put(self, host_name: str, file_name: str, data: bytes) -> None:
        """Put a file on a host, in place of the one there: the server program reads either, never a part."""

    def get(self, host_name: str, file_name: str) -> bytes | None:
        """Return a file's bytes, None if there is no such file."""

    def digest(self, host_name: str, file_name: str) -> str | None:
        """Return the SHA-256 of a file as it is there, None if there is no such file."""

    def delete(self, host_name: str, file_name: str) -> None:
        """Delete a file; there need not be one."""

    def reload(self, host_name: str) -> None:
        """Have the host's server programs read their files again."""


class LocalHosts:
    """The files of each host in `directory`/<host>, for their owner only.

    Files of hosts may be one file with several names: they are replaced, and never written to. `reload` is
    called with the host's name when its servers should read their files again.
    """

    def __init__(self, directory: Path, reload: Callable[[str], None] | None = None) -> None:
        self._tree = Tree(directory, directory_mode=0o700, file_mode=0o600)
        self._reload = reload
        self._last: tuple[bytes, str] = (b"", hashlib.sha256().hexdigest())
        self._known: dict[_Identity, str] = {}

    def __repr__(self) -> str:
        return f"the hosts in {self._tree.root}"

    def put(self, host_name: str, file_name: str, data: bytes) -> None:
        """Put a file on a host, in place of the one there. Raises StoreUnavailable."""
        name = _place(host_name, file_name)
        if len(data) < _POOLED:
            self._tree.write(name, data)
            return
        pooled = f"{_POOL}/{self._digest_of(data)}"
        with self._tree.at_work(name) as drafts:
            if not self._is_pooled(pooled):
                self._tree.place(drafts, self._tree.draft(drafts, data), pooled)
                self._drop_unused(pooled)
            draft = self._tree.link(drafts, pooled) or self._tree.draft(drafts, data)
            self._tree.place(drafts, draft, name)

    def get(self, host_name: str, file_name: str) -> bytes | None:
        """Return a file's bytes, None if there is no such file. Raises StoreUnavailable."""
        with self._tree.reading(_place(host_name, file_name)) as stream:
            return stream.read() if stream else None

    def digest(self, host_name: str, file_name: str) -> str | None:
        """Return the SHA-256 of a file as it is there, None if there is no such file."""
        with self._tree.reading(_place(host_name, file_name)) as stream:
            return self._digest_in(stream) if stream else None

    def delete(self, host_name: str, file_name: str) -> None:
        """Delete a file; there need not be one. Raises StoreUnavailable."""
        self._tree.remove(_place(host_name, file_name))

    def reload(self, host_name: str) -> None:
        """Call what was given for it, if anything."""
        _part(host_name)
        if self._reload:
            self._reload(host_name)

    def _digest_of(self, data: bytes) -> str:
        """The digest of data that may be put for thousands of hosts, one after another."""
        last, digest = self._last
        if data is not last:
            digest = hashlib.sha256(data).hexdigest()
            self._last = (data, digest)
        return digest

    def _digest_in(self, stream: io.BufferedReader) -> str:
        """The digest of an open file; of one with several names, it is found once."""
        found = os.fstat(stream.fileno())
        identity = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
        digest = self._known.get(identity)
        if digest is None:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            if found.st_nlink > 1:
                if len(self._known) >= _MOST_KNOWN:
                    self._known.clear()
                self._known[identity] = digest
        return digest

    def _is_pooled(self, pooled: str) -> bool:
        """Whether the pool has a file, and nobody has spoilt it."""
        with self._tree.reading(pooled) as stream:
            return stream is not None and f"{_POOL}/{self._digest_in(stream)}" == pooled

    def _drop_unused(self, pooled: str) -> None:
        """Remove what no host has any more from the pool. Who is about to link it copies instead."""
        for name in self._tree.names(f"{_POOL}/"):
            path = self._tree.root / name
            with contextlib.suppress(FileNotFoundError):
                if name != pooled and path.stat().st_nlink == 1:
                    path.unlink()


def _place(host_name: str, file_name: str) -> str:
    return f"{_part(host_name)}/{_part(file_name)}"


def _part(name: str) -> str:
    if "/" in check_name(name) or name.startswith("."):
        raise ValueError(f'{name!r} cannot name a host or a file on it: no "/" in it, no "." at its start')
    return name
