"""The places that contents go to, behind one way of putting and deleting: stores, and files on hosts.

store         what users fetch
exports       what departments are given
host:<name>   the files of one host
"""

from dataclasses import dataclass
from typing import Final

from headrace.base.errors import OperatorError
from headrace.network.publish.stores.hosts import HostTransport
from headrace.network.publish.stores.store import NotAsUploaded, Store, put_verified
from headrace.network.publish.stores.stored import StoredObject

__all__ = ["BUNDLES", "EXPORTS", "NOWHERE", "STORE", "Places", "host_of", "host_place"]

STORE: Final = "store"
BUNDLES: Final = "bundles"
EXPORTS: Final = "exports"
NOWHERE: Final = "nowhere"
_HOST: Final = "host:"


def host_place(name: str) -> str:
    """Return the place that the host with this name is."""
    return _HOST + name


def host_of(place: str) -> str | None:
    """Return the name of the host that a place is, None if it is another place."""
    return place.removeprefix(_HOST) if place.startswith(_HOST) else None


@dataclass(frozen=True, slots=True)
class Places:
    """What there is to publish to. Calls block, and several threads may make them at the same time.

    What has no place is left out of publications.
    """

    store: Store | None = None
    hosts: HostTransport | None = None
    exports: Store | None = None
    bundles: Store | None = None

    def has(self, place: str) -> bool:
        """Say whether there is such a place."""
        if host_of(place) is not None:
            return self.hosts is not None
        return place == NOWHERE or self._stores().get(place) is not None

    def put(self, place: str, item: StoredObject) -> None:
        """Put an object, and see that it arrived. Raises StoreUnavailable, NotAsUploaded."""
        host = host_of(place)
        if host is None:
            put_verified(self._store(place), item)
            return
        hosts = self._hosts()
        hosts.put(host, item.name, item.data)
        if hosts.digest(host, item.name) != item.sha256:
            raise NotAsUploaded(
                f"the host {host} took {item.name} and has something else now: see that nothing else writes "
                "there, then publish again"
            )

    def delete(self, place: str, name: str) -> None:
        """Delete an object; there need not be one. Raises StoreUnavailable."""
        host = host_of(place)
        if host is None:
            self._store(place).delete(name)
        else:
            self._hosts().delete(host, name)

    def settle(self, place: str) -> None:
        """Have what was put taken notice of: hosts read their files again. Raises StoreUnavailable."""
        host = host_of(place)
        if host is not None:
            self._hosts().reload(host)

    def _stores(self) -> dict[str, Store | None]:
        return {STORE: self.store, EXPORTS: self.exports, BUNDLES: self.bundles}

    def _store(self, place: str) -> Store:
        store = self._stores().get(place)
        if store is None:
            raise OperatorError(f"there is nowhere to publish to that is called {place}")
        return store

    def _hosts(self) -> HostTransport:
        if self.hosts is None:
            raise OperatorError("there is no way to the hosts: set one, then publish again")
        return self.hosts
