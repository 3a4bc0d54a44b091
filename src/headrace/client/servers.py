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
    def entries(self, rng: Rng, front: Sequence[str] = (), region: str = "") -> Iterator[ServerEntry]:
        """Yield the entries to try in a round: those at the addresses in `front`, then the rest at random.

        With a `region`, only servers whose traffic leaves there. Entries are loaded as they are asked for.
        """

    @abstractmethod
    def everybody(self) -> Iterator[ServerEntry]:
        """Yield every entry in no particular order, for counting: none is checked as for a dial."""

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
        """Return the address of the server to begin with, empty if there is none."""

    @abstractmethod
    def keep_first(self, entry: ServerEntry, region: str) -> None:
        """Remember that `entry` served well, while only servers of `region` counted."""

    @abstractmethod
    def forget_first(self, address: str) -> None:
        """Begin with the server at `address` no more."""


class FixedServers(Servers):
    """These entries and no others, whatever else is learned."""

    def __init__(self, entries: Iterable[ServerEntry]) -> None:
        self._entries = list(entries)
        self._first: ServerEntry | None = None

    def entries(self, rng: Rng, front: Sequence[str] = (), region: str = "") -> Iterator[ServerEntry]:
        places = {address: place for place, address in enumerate(dict.fromkeys(front))}
        order = sorted(
            rng.shuffled(self._entries), key=lambda entry: places.get(entry.ip_address, len(places))
        )
        return (entry for entry in order if _leaves_in(region, entry))

    def everybody(self) -> Iterator[ServerEntry]:
        return iter(self._entries)

    def pick(self, addresses: Sequence[str], region: str = "") -> Iterator[ServerEntry]:
        return (
            entry for entry in self._entries if entry.ip_address in addresses and _leaves_in(region, entry)
        )

    def count(self, region: str = "") -> int:
        return sum(_leaves_in(region, entry) for entry in self._entries)

    def regions(self) -> list[str]:
        return sorted({entry.region for entry in self._entries if entry.region})

    def first(self, region: str = "") -> str:
        return self._first.ip_address if self._first is not None else ""

    def keep_first(self, entry: ServerEntry, region: str) -> None:
        self._first = entry

    def forget_first(self, address: str) -> None:
        if self.first() == address:
            self._first = None


class StoredServers(Servers):
    """The entries of a store. With a `key`, entries with a signature must be signed with it."""

    def __init__(self, store: ClientStore, key: VerifyingKey | None = None) -> None:
        self._store = store
        self._key = key

    def entries(self, rng: Rng, front: Sequence[str] = (), region: str = "") -> Iterator[ServerEntry]:
        return self._load(self._store.entries.addresses(rng, region=region, first=front), region)

    def everybody(self) -> Iterator[ServerEntry]:
        return self._store.entries.everything()

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

    def forget_first(self, address: str) -> None:
        if self._store.values.get(AFFINITY) == address:
            self._store.values.delete(AFFINITY)

    def _load(self, addresses: Iterable[str], region: str) -> Iterator[ServerEntry]:
        for address in addresses:
            entry = self._store.entries.load(address, self._key)
            if entry is not None and _leaves_in(region, entry):
                yield entry


def _leaves_in(region: str, entry: ServerEntry) -> bool:
    return not region or entry.region == region
