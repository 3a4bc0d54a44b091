"""Where candidates come from: the client's store, or entries given once and for all."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from headrace.base.rng import Rng
from headrace.crypto.signing import VerifyingKey
from headrace.documents.server_entry import ServerEntry
from headrace.store.client.store import ClientStore
from headrace.store.client.tables import AFFINITY

__all__ = ["FixedServers", "Servers", "StoredServers"]

#: The key, beside AFFINITY, of the region that counted when that server was kept (client spec §7).
_AFFINITY_REGION: Final = "lastServerEntryFilter"


class Servers(ABC):
    """The servers that a client knows."""

    @abstractmethod
    def entries(self, rng: Rng, region: str = "") -> Iterator[ServerEntry]:
        """Yield the entries to try in a round: the one to keep first, then the rest in random order.

        With a `region`, only servers whose traffic leaves there. Entries are loaded as they are asked for.
        """

    @abstractmethod
    def pick(self, addresses: Sequence[str], region: str = "") -> Iterator[ServerEntry]:
        """Yield the entries at these addresses, as far as they are known and in the region."""

    @abstractmethod
    def count(self, region: str = "") -> int:
        """Return how many there are."""

    @abstractmethod
    def regions(self) -> list[str]:
        """Return the regions where traffic can leave, sorted."""

    @abstractmethod
    def first(self, region: str = "") -> str:
        """Return the address of the one to keep first, empty if there is none."""

    @abstractmethod
    def keep_first(self, entry: ServerEntry, region: str) -> None:
        """Remember that `entry` served well, while only servers of `region` counted."""


class FixedServers(Servers):
    """These entries and no others, whatever else is learned."""

    def __init__(self, entries: Iterable[ServerEntry]) -> None:
        self._entries = list(entries)
        self._first: ServerEntry | None = None

    def entries(self, rng: Rng, region: str = "") -> Iterator[ServerEntry]:
        order = sorted(rng.shuffled(self._entries), key=lambda entry: entry is not self._first)
        return (entry for entry in order if _leaves_in(region, entry))

    def pick(self, addresses: Sequence[str], region: str = "") -> Iterator[ServerEntry]:
        return iter(())

    def count(self, region: str = "") -> int:
        return sum(_leaves_in(region, entry) for entry in self._entries)

    def regions(self) -> list[str]:
        return sorted({entry.region for entry in self._entries if entry.region})

    def first(self, region: str = "") -> str:
        return self._first.ip_address if self._first is not None else ""

    def keep_first(self, entry: ServerEntry, region: str) -> None:
        self._first = entry


class StoredServers(Servers):
    """The entries of a store. With a `key`, entries with a signature must be signed with it."""

    def __init__(self, store: ClientStore, key: VerifyingKey | None = None) -> None:
        self._store = store
        self._key = key

    def entries(self, rng: Rng, region: str = "") -> Iterator[ServerEntry]:
        first = [address] if (address := self.first(region)) else []
        return self._load(self._store.entries.addresses(rng, region=region, first=first), region)

    def pick(self, addresses: Sequence[str], region: str = "") -> Iterator[ServerEntry]:
        return self._load(addresses, region)

    def count(self, region: str = "") -> int:
        return self._store.entries.count(region)

    def regions(self) -> list[str]:
        return self._store.entries.regions()

    def first(self, region: str = "") -> str:
        values = self._store.values
        return values.get(AFFINITY) if values.get(_AFFINITY_REGION) == region else ""

    def keep_first(self, entry: ServerEntry, region: str) -> None:
        self._store.values.set(AFFINITY, entry.ip_address)
        self._store.values.set(_AFFINITY_REGION, region)

    def _load(self, addresses: Iterable[str], region: str) -> Iterator[ServerEntry]:
        for address in addresses:
            entry = self._store.entries.load(address, self._key)
            if entry is not None and _leaves_in(region, entry):
                yield entry


def _leaves_in(region: str, entry: ServerEntry) -> bool:
    return not region or entry.region == region
