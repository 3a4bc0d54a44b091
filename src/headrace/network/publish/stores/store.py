"""What every store can do, whatever is behind it, and how an upload is known to have arrived.

Whether an object has to be put at all is for the caller to find out, by its digest.
"""

from collections.abc import Iterator
from typing import Protocol

from headrace.base.errors import OperatorError
from headrace.network.publish.stores.stored import StoredObject

__all__ = ["NotAsUploaded", "Store", "StoreUnavailable", "put_verified"]


class StoreUnavailable(OperatorError):
    """A store or host cannot be reached, or refuses; what was there is still there."""


class NotAsUploaded(OperatorError):
    """A store took an object and returns another, or none."""


class Store(Protocol):
    """Objects by name. Names are those of `check_name`, else ValueError; all raise StoreUnavailable.

    Calls block. Several threads may make them at the same time.
    """

    def put(self, item: StoredObject) -> None:
        """Store an object, in place of the one with its name: readers get either, and never a part."""

    def get(self, name: str) -> bytes | None:
        """Return an object's bytes, None if there is no such object."""

    def digest(self, name: str) -> str | None:
        """Return the SHA-256 of an object in hexadecimal digits.

        None if there is no such object, or none that was put by us.
        """

    def delete(self, name: str) -> None:
        """Delete an object; there need not be one."""

    def names(self, prefix: str = "") -> Iterator[str]:
        """Yield the names of all objects whose names begin with `prefix`, in any order."""


def put_verified(store: Store, item: StoredObject) -> None:
    """Put an object, and fetch it to see that it arrived. Raises NotAsUploaded besides StoreUnavailable."""
    store.put(item)
    there = store.get(item.name)
    if there == item.data:
        return
    found = "nothing" if there is None else f"{len(there):,} other bytes"
    raise NotAsUploaded(
        f"{store} took {item.name} ({len(item.data):,} bytes) and returns {found}: publish again; if that "
        f"does not help, see that nothing else writes there, and that no cache is between"
    )
