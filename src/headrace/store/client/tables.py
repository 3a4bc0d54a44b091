"""The small tables of a client's store: keys, validators, values, dial parameters."""

from collections.abc import Iterable

from headrace.store.client.database import Database

__all__ = ["AFFINITY", "DialParametersTable", "EtagTable", "SlokTable", "ValueTable"]

AFFINITY = "affinityServerEntryID"
"""The key in `values` of the last good server's address; pruning that server clears it."""


class SlokTable:
    """Keys earned for obfuscated server lists, by their ids."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, sloks: Iterable[tuple[bytes, bytes]]) -> int:
        """Keep ids with their keys; return how many were not there yet."""
        pairs, add = list(sloks), "INSERT OR IGNORE INTO slok (id, key) VALUES (?, ?)"
        return self._database.write(
            lambda: sum(self._database.execute(add, *pair) for pair in pairs), otherwise=0
        )

    def get(self, identity: bytes) -> bytes | None:
        """Return the key behind an id."""
        query = "SELECT key FROM slok WHERE id = ?"
        return self._database.read(lambda: self._database.value(bytes, query, identity), otherwise=None)

    def all(self) -> dict[bytes, bytes]:
        """Return every key by its id."""
        pair, query = tuple[bytes, bytes], "SELECT id, key FROM slok"
        return self._database.read(lambda: dict(self._database.rows(pair, query)), otherwise={})

    def clear(self) -> None:
        """Forget all keys."""
        self._database.write(lambda: self._database.execute("DELETE FROM slok"), otherwise=0)

    def count(self) -> int:
        """Return how many keys there are."""
        query = "SELECT count(*) FROM slok"
        return self._database.read(lambda: self._database.value(int, query), otherwise=None) or 0


class _TextTable:
    """Texts by key. A key that is not there has the empty text."""

    _GET: str
    _SET: str
    _DELETE: str

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: str) -> str:
        """Return the text, empty when there is none."""
        return self._database.read(lambda: self._database.value(str, self._GET, key), otherwise=None) or ""

    def set(self, key: str, text: str) -> None:
        """Keep the text, in place of another."""
        self._database.write(lambda: self._database.execute(self._SET, key, text), otherwise=0)

    def delete(self, key: str) -> None:
        """Forget the text."""
        self._database.write(lambda: self._database.execute(self._DELETE, key), otherwise=0)


class EtagTable(_TextTable):
    """ETags of what was downloaded and used, by canonical URL."""

    _GET = "SELECT etag FROM etag WHERE url = ?"
    _SET = "INSERT OR REPLACE INTO etag (url, etag) VALUES (?, ?)"
    _DELETE = "DELETE FROM etag WHERE url = ?"


class ValueTable(_TextTable):
    """Single values: the affinity server, when something was last done."""

    _GET = "SELECT value FROM value WHERE key = ?"
    _SET = "INSERT OR REPLACE INTO value (key, value) VALUES (?, ?)"
    _DELETE = "DELETE FROM value WHERE key = ?"


class DialParametersTable:
    """What worked with a server from a network, for replay; `parameters` are bytes of the caller's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, address: str, network_id: str, parameters: bytes) -> None:
        """Keep the parameters, in place of others for this server and network."""
        put = "INSERT OR REPLACE INTO dial_parameters (address, network_id, parameters) VALUES (?, ?, ?)"
        self._database.write(
            lambda: self._database.execute(put, address, network_id, parameters), otherwise=0
        )

    def get(self, address: str, network_id: str) -> bytes | None:
        """Return the parameters."""
        query = "SELECT parameters FROM dial_parameters WHERE address = ? AND network_id = ?"
        return self._database.read(
            lambda: self._database.value(bytes, query, address, network_id), otherwise=None
        )

    def delete(self, address: str, network_id: str) -> None:
        """Forget the parameters."""
        delete = "DELETE FROM dial_parameters WHERE address = ? AND network_id = ?"
        self._database.write(lambda: self._database.execute(delete, address, network_id), otherwise=0)

    def addresses(self, network_id: str) -> list[str]:
        """Return the addresses of the servers with parameters for a network."""
        query = "SELECT address FROM dial_parameters WHERE network_id = ? ORDER BY address"
        return self._database.read(lambda: self._database.column(str, query, network_id), otherwise=[])
