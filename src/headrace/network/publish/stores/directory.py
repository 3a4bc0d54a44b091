"""A directory as a store: for a web server that shows it, or for a copy to be carried elsewhere.

Only the bytes are kept. Content types, cache times and metadata are for the web server's configuration to
say, by name; no file is there which is no object.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from headrace.network.publish.stores.stored import StoredObject, check_name, check_prefix
from headrace.network.publish.stores.tree import Tree

__all__ = ["DirectoryStore"]


class DirectoryStore:
    """The store in the directory `path`, which is made with the first object. Everybody may read them."""

    def __init__(self, path: Path) -> None:
        self._tree = Tree(path, directory_mode=0o755, file_mode=0o644)

    def __repr__(self) -> str:
        return f"the directory {self._tree.root}"

    def put(self, item: StoredObject) -> None:
        """Store an object, in place of the one with its name. Raises StoreUnavailable."""
        self._tree.write(item.name, item.data)

    def get(self, name: str) -> bytes | None:
        """Return an object's bytes, None if there is no such object. Raises StoreUnavailable."""
        with self._tree.reading(check_name(name)) as stream:
            return stream.read() if stream else None

    def digest(self, name: str) -> str | None:
        """Return the SHA-256 of what is in the file now, None if there is no such object."""
        with self._tree.reading(check_name(name)) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() if stream else None

    def delete(self, name: str) -> None:
        """Delete an object; there need not be one. Raises StoreUnavailable."""
        self._tree.remove(check_name(name))

    def names(self, prefix: str = "") -> Iterator[str]:
        """Yield the names of all objects whose names begin with `prefix`."""
        for name in self._tree.names(check_prefix(prefix)):
            try:
                yield check_name(name)
            except ValueError:
                continue  # a draft, or a file of somebody else whose name no store could keep
